document.addEventListener("click", (event) => {
  const button = event.target.closest("button.run");
  if (!button) return;
  event.preventDefault();
  copyRun(button.dataset.run);
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1200);
});
function copyRun(text) {
  const byHand = () => {
    const field = document.body.appendChild(document.createElement("textarea"));
    field.value = text;
    field.select();
    document.execCommand("copy");
    field.remove();
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).catch(byHand);
  else byHand();
}
