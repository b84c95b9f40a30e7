// A run that is under way: fetch its page again and put the new receipt in place. Without this file, "Reload" does it.
const EVERY_MS = 2000;

async function refresh() {
  const answer = await fetch(location.href, { credentials: "same-origin" });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("live");
  if (!fresh || !fresh.hasAttribute("data-live")) return location.reload();
  document.getElementById("live").replaceWith(document.importNode(fresh, true));
}

setInterval(() => {
  if (!document.hidden) refresh().catch(() => {});
}, EVERY_MS);
