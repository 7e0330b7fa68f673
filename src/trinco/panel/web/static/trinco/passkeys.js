/* A passkey dialogue that was called off, or that failed, is said on the page and not in the console. */
"use strict";

document.addEventListener("allauth.error", (event) => {
  event.preventDefault();
  const place = document.getElementById("passkey-problem");
  if (!place) return;
  const calledOff = event.detail.exception?.name === "NotAllowedError";
  place.textContent = calledOff ? place.dataset.calledOff : place.dataset.failed;
  place.hidden = false;
});
