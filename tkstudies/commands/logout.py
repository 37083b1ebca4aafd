"""``tkstudies logout``: forget logins by browser."""

from __future__ import annotations

from tkstudies import console
from tkstudies.commands import options
from tkstudies.settings import current

app = options.application()


@app.command()
def logout(service: options.LoginService = "") -> None:
    """Forget the logins by browser, or that of one service: here, and at CERN.

    \b
    The file is removed whatever stands in it. Where CERN can't be told, that is
    said: the login ends there by itself.

    \b
    Examples:
      tkstudies logout
      tkstudies logout dials
    """
    from tkstudies.services.web import device, logins

    if current.replay:
        console.say("replay is on: nothing is forgotten")
        return
    chosen = options.login_services(service)
    kept = [one for one in chosen if logins.exists(one)]
    if not kept:
        console.say(f"not logged in to {' or '.join(one.title for one in chosen)}: nothing to forget")
    for one in kept:
        if words := device.log_out(one):
            console.warn(f"logged out of {one.title} here, but not at CERN, where it ends by itself: {words}")
        else:
            console.say(f"logged out of {one.title}")
