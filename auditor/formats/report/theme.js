"use strict";
// Light, dark, or as the system has it; remembered where the browser lets a file remember.
(() => {
  const choice = document.getElementById("theme");
  const key = "auditor-theme";
  const storage = (act) => {
    try {
      return act(window.localStorage);
    } catch {
      return null; // some browsers let a local file keep nothing: the choice holds for this page then
    }
  };
  const set = (theme) => {
    if (theme) document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
    document.dispatchEvent(new Event("themechange"));
  };
  choice.value = storage((kept) => kept.getItem(key)) || "";
  if (choice.selectedIndex < 0) choice.value = "";
  set(choice.value);
  choice.addEventListener("change", () => {
    set(choice.value);
    storage((kept) => kept.setItem(key, choice.value));
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => set(choice.value));
  choice.closest("label").hidden = false;
})();
