/* Small comforts. Every page works without this file. */
(function () {
  "use strict";

  // "Show password": the button is only here when a script can make it work.
  function addPasswordButtons(root) {
    root.querySelectorAll('input[type="password"]:not([data-has-show])').forEach(function (box) {
      box.setAttribute("data-has-show", "");
      var button = document.createElement("button");
      button.type = "button";
      button.className = "btn btn--quiet show-password";
      button.textContent = "Show password";
      button.setAttribute("aria-controls", box.id);
      button.setAttribute("aria-pressed", "false");
      button.addEventListener("click", function () {
        var shown = box.type === "text";
        box.type = shown ? "password" : "text";
        button.textContent = shown ? "Show password" : "Hide password";
        button.setAttribute("aria-pressed", shown ? "false" : "true");
      });
      if (box.form) {
        // Never send a password in plain sight of the form history.
        box.form.addEventListener("submit", function () { box.type = "password"; });
      }
      box.insertAdjacentElement("afterend", button);
    });
  }

  // "Print this page": hidden until a script can open the print window.
  function addPrintButtons(root) {
    root.querySelectorAll("[data-print][hidden]").forEach(function (button) {
      button.hidden = false;
      button.addEventListener("click", function () { window.print(); });
    });
  }

  function prepare(root) {
    addPasswordButtons(root);
    addPrintButtons(root);
  }

  prepare(document);

  // After a part of the page was replaced, the focus goes to its heading.
  document.addEventListener("htmx:afterSettle", function (event) {
    prepare(document);
    var target = event.detail && event.detail.target;
    var heading = target && (target.matches("[tabindex='-1']") ? target : target.querySelector("[tabindex='-1']"));
    if (heading) { heading.focus(); }
  });
})();
