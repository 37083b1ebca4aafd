"""``tkstudies login``: log in by browser."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from tkstudies import console
from tkstudies.commands import options
from tkstudies.settings import current

if TYPE_CHECKING:
    from tkstudies.services.web.device import Invitation

app = options.application()


@app.command()
def login(service: options.LoginService = "oms") -> None:
    """Log in by browser to OMS (or DIALS), with your own account.

    \b
    An address is shown on standard error: open it in any browser, also on another
    machine, and agree within five minutes. The login is kept in
    $XDG_STATE_HOME/tkstudies (else ~/.local/state/tkstudies), readable for you
    only; all commands that ask OMS use and renew it until the realm ends it.
    Of DIALS the login is kept for later: no command uses it yet. Run Registry
    knows no login by browser ('tkstudies help login').

    \b
    Examples:
      tkstudies login
      tkstudies login dials
      XDG_STATE_HOME=~/private/state tkstudies login   # where home is on AFS
    """
    from tkstudies.services.web import device, identity, logins

    (one,) = options.login_services(service)
    if current.replay:
        console.say(f"replay is on: no login is needed, answers come from the cassettes in {current.replay}")
        return
    if exposed := logins.exposed():
        console.warn(exposed)
    kept = device.log_in(one, _invite)
    name = identity.of_token(kept.token, "login").name
    renewed = ", renewed while you work" if kept.refresh else "; it can't be renewed"
    console.say(
        f"logged in to {one.title} as {name} until {identity.at(kept.ends):%Y-%m-%d %H:%M} UTC{renewed}"
        f" (kept in {logins.file_of(one)})"
    )
    if os.environ.get(one.token_variable or "-"):
        console.warn(f"{one.token_variable} is set, and used in the place of this login: unset it")


def _invite(invitation: Invitation) -> None:
    """Show what to do; all of it is checked before."""
    console.ask(f"open in a browser: {invitation.address}")
    if invitation.code:
        console.ask(f"and type the code: {invitation.code}")
    minutes = f"{invitation.seconds / 60:.0f} min" if invitation.seconds >= 60 else f"{invitation.seconds:.0f} s"
    console.say(f"waiting until you agree there, at most {minutes} (Ctrl-C stops)")
