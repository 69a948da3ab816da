// Draws a labkit View (see form.py) and sends what the learner does to the kernel.
//
// The kernel answers with a new view. What did not change keeps its DOM nodes, so the focus and the
// caret stay where they are, and the live regions announce only what is new.

const ANSWER_WITHIN_MS = 5000;
const NO_ANSWER =
  "The kernel did not answer. If a cell is still running, the answer comes when it is done. " +
  "If the kernel was restarted or stopped, run this cell again.";
const LIVE_DELAY_MS = 250;

function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) node.setAttribute(name, String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// JupyterLab's shortcuts would otherwise take arrows and letters (`x` cuts the cell); Lab looks for the
// attribute on the focused element itself.
function focusable(node) {
  node.setAttribute("data-lm-suppress-shortcuts", "true");
  return node;
}

function setHtml(node, html) {
  if (node.labkitHtml === html) return;
  node.labkitHtml = html;
  const unfolded = [...node.querySelectorAll("details[open] > summary")].map((summary) => summary.textContent);
  node.innerHTML = html;
  for (const summary of node.querySelectorAll("details > summary")) {
    if (unfolded.includes(summary.textContent)) summary.parentElement.open = true;
  }
  for (const inner of node.querySelectorAll("a[href], button, input, select, summary, [tabindex]")) focusable(inner);
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// ---------------------------------------------------------------- fields

function codeBlock(code) {
  return code ? make("pre", { class: "lk-code" }, make("code", {}, code)) : null;
}

function helpAndError(id) {
  return [make("p", { class: "lk-help", id: `${id}-help` }),
          make("p", { class: "lk-error", id: `${id}-error`, "aria-live": "polite" })];
}

// A radio group or a list of checkboxes: a fieldset, so that a screen reader says the question first.
function makeChoices(field, id) {
  const type = field.kind === "radio" ? "radio" : "checkbox";
  const rows = field.options.map((option) => {
    const input = focusable(make("input", { type, name: id, value: option.value }));
    return make("label", { class: "lk-option" }, input,
                make("span", {}, option.label, codeBlock(option.code)));
  });
  return make("fieldset", { class: "lk-field", "aria-describedby": `${id}-help ${id}-error` },
              make("legend", {}, field.label), codeBlock(field.code), ...rows, ...helpAndError(id));
}

function makeCheckbox(field, id) {
  const input = focusable(make("input", { type: "checkbox", id, "aria-describedby": `${id}-help ${id}-error` }));
  return make("div", { class: "lk-field" },
              make("label", { class: "lk-option" }, input, make("span", {}, field.label)), ...helpAndError(id));
}

function makeSelect(field, id) {
  const empty = make("option", { value: "" }, "Choose…");
  return make("select", { id }, empty,
              ...field.options.map((option) => make("option", { value: option.value }, option.label)));
}

function makeInput(field, id) {
  const numeric = field.kind === "number" || field.kind === "range";
  return make("input", {
    id, type: field.kind, autocomplete: "off",
    min: numeric ? field.minimum : null, max: numeric ? field.maximum : null,
    step: numeric ? (field.step ?? "any") : null,
  });
}

function makeLabelled(field, id) {
  const control = focusable(field.kind === "select" ? makeSelect(field, id) : makeInput(field, id));
  control.setAttribute("aria-describedby", `${id}-help ${id}-error`);
  const label = make("label", { for: id, id: `${id}-label` }, field.label);
  const row = make("div", { class: "lk-control" }, control);
  if (field.kind === "range") row.append(make("output", { class: "lk-shown", for: id }));
  if (field.unit) {
    row.append(make("span", { class: "lk-unit", id: `${id}-unit` }, field.unit));
    control.setAttribute("aria-labelledby", `${id}-label ${id}-unit`);
  }
  return make("div", { class: "lk-field" }, label, codeBlock(field.code), row, ...helpAndError(id));
}

function makeField(field, id) {
  if (field.kind === "radio" || field.kind === "checkboxes") return makeChoices(field, id);
  if (field.kind === "checkbox") return makeCheckbox(field, id);
  return makeLabelled(field, id);
}

function controlsOf(node) {
  return [...node.querySelectorAll("input, select")];
}

function readField(field, node) {
  const controls = controlsOf(node);
  if (field.kind === "radio") return controls.find((c) => c.checked)?.value ?? null;
  if (field.kind === "checkboxes") return controls.filter((c) => c.checked).map((c) => c.value);
  if (field.kind === "checkbox") return controls[0].checked;
  if (field.kind === "select") return controls[0].value || null;
  if (field.kind === "text") return controls[0].value;
  // A number input hides what it can't read; the kernel then says what it expects.
  if (controls[0].validity.badInput) return "not a number";
  return controls[0].value === "" ? null : Number(controls[0].value);
}

function showRange(field, node) {
  if (field.kind !== "range") return;
  const control = controlsOf(node)[0];
  setText(node.querySelector("output"), control.value);
  control.setAttribute("aria-valuetext", `${control.value} ${field.unit}`.trim());
}

// `keepValue`: the learner has edited the field since the event that is answered; do not undo it.
function updateField(field, node, keepValue) {
  const controls = controlsOf(node);
  for (const control of controls) {
    control.disabled = field.disabled;
    if (field.error) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }
  setText(node.querySelector(".lk-help"), field.help);
  setText(node.querySelector(".lk-error"), field.error);
  const unreadable = field.error && controls[0]?.validity.badInput;
  if (!keepValue && !unreadable) writeValue(field, controls);
  showRange(field, node);
}

function writeValue(field, controls) {
  if (field.kind === "radio") for (const c of controls) c.checked = c.value === field.value;
  else if (field.kind === "checkboxes") for (const c of controls) c.checked = (field.value ?? []).includes(c.value);
  else if (field.kind === "checkbox") controls[0].checked = Boolean(field.value);
  else {
    const text = field.value === null || field.value === undefined ? "" : String(field.value);
    if (controls[0].value !== text) controls[0].value = text;
  }
}

// ---------------------------------------------------------------- the form

// What a field's node was built from; when it is the same, the node stays and is updated.
function shapeOfField(field) {
  const { value, help, error, disabled, ...shape } = field;
  return shape;
}

// Puts one child per item into `parent`, keeping the children whose key and shape are unchanged.
function reconcile(parent, items, keyOf, shapeOf, build, update) {
  const old = new Map([...parent.children].map((child) => [child.labkitKey, child]));
  const wanted = items.map((item) => {
    const key = keyOf(item);
    const shape = JSON.stringify(shapeOf(item));
    let node = old.get(key);
    if (!node || node.labkitShape !== shape) {
      node = build(item);
      node.labkitKey = key;
      node.labkitShape = shape;
      node.labkitNew = true;
    }
    return node;
  });
  for (const child of [...parent.children]) if (!wanted.includes(child)) child.remove();
  wanted.forEach((node, place) => {
    if (parent.children[place] !== node) parent.insertBefore(node, parent.children[place] ?? null);
    update(items[place], node);
    node.labkitNew = false;
  });
}

// The element of a section: folded away, a group with a legend, or a plain division.
function makeGroup(section) {
  if (section.folded) {
    return make("details", { class: "lk-section" }, focusable(make("summary", {}, section.title)));
  }
  if (section.title) return make("fieldset", { class: "lk-section" }, make("legend", {}, section.title));
  return make("div", { class: "lk-section" });
}

class FormView {
  constructor(model, el) {
    this.model = model;
    this.prefix = `labkit-${Math.random().toString(36).slice(2, 10)}`;
    this.sent = 0; // number of the last event sent
    this.answered = 0; // number of the last event that the kernel answered
    this.edited = new Map(); // field name → number of the first event that holds its last edit
    this.build(el);
    this.draw();
  }

  build(el) {
    this.title = make("p", { class: "lk-title", id: `${this.prefix}-title` });
    this.intro = make("div", { class: "lk-intro" });
    this.fields = make("div", { class: "lk-fields" });
    this.sections = make("div", { class: "lk-sections" });
    this.buttons = make("div", { class: "lk-buttons" });
    this.lastButton = null; // pressed last: trouble is told beside it
    // Live regions stand in the page before they are filled: only changes are announced.
    this.result = make("div", { class: "lk-result", role: "status", "aria-live": "polite" });
    this.status = make("p", { class: "lk-status", role: "status", "aria-live": "polite" });
    this.trouble = make("p", { class: "lk-trouble", role: "alert" });
    this.root = make("div", { class: "labkit-form", role: "group", "aria-labelledby": this.title.id },
                     this.title, this.intro, this.fields, this.sections, this.buttons,
                     this.result, this.status, this.trouble);
    el.append(this.root);
  }

  id(name) {
    return `${this.prefix}-${name.replace(/[^A-Za-z0-9_-]/g, "_")}`;
  }

  draw() {
    const view = this.model.get("view");
    this.view = view;
    this.readAnswer(view.answers);
    const focus = this.rememberFocus();
    setText(this.title, view.title);
    setHtml(this.intro, view.intro_html);
    this.drawFields(this.fields, view.fields);
    reconcile(this.sections, view.sections, (section) => section.name,
              (section) => [section.title, section.folded, section.columns],
              (section) => this.makeSection(section), (section, node) => this.updateSection(section, node));
    this.drawButtons(this.buttons, view.buttons, this.root);
    // A long result is read at leisure; where there is a status line, that alone is announced.
    this.result.setAttribute("aria-live", view.status ? "off" : "polite");
    setHtml(this.result, view.result_html);
    this.status.classList.toggle("lk-spoken", view.status_spoken);
    setText(this.status, view.status);
    this.restoreFocus(focus);
  }

  drawFields(parent, fields) {
    reconcile(parent, fields, (field) => field.name, shapeOfField, (field) => this.makeField(field),
              (field, node) => {
                node.labkitField = field;
                const editedSince = (this.edited.get(field.name) ?? 0) > this.answered;
                updateField(field, node, !node.labkitNew && editedSince);
              });
  }

  makeField(field) {
    const node = makeField(field, this.id(field.name));
    node.addEventListener("input", () => this.onInput(node));
    node.addEventListener("keydown", (event) => this.onKey(event));
    return node;
  }

  drawButtons(parent, buttons) {
    reconcile(parent, buttons, (button) => button.action, (button) => [button.label, button.primary],
              (button) => {
                const node = focusable(make("button", { type: "button", class: button.primary ? "lk-primary" : "lk-plain" }, button.label));
                node.addEventListener("click", () => this.onClick(node));
                return node;
              },
              (button, node) => {
                node.labkitButton = button;
                // aria-disabled, not disabled: a disabled button loses the focus.
                node.setAttribute("aria-disabled", String(button.disabled));
              });
  }

  makeSection(item) {
    const parts = {
      intro: make("div", { class: "lk-intro" }), fields: make("div", { class: "lk-fields" }),
      buttons: make("div", { class: "lk-buttons" }),
      result: make("div", { class: "lk-result", role: "status", "aria-live": "polite" }),
    };
    const node = makeGroup(item);
    if (item.columns) parts.fields.classList.add("lk-columns");
    node.append(parts.intro, parts.fields, parts.buttons, parts.result);
    node.labkitParts = parts;
    return node;
  }

  updateSection(section, node) {
    const parts = node.labkitParts;
    setHtml(parts.intro, section.intro_html);
    this.drawFields(parts.fields, section.fields);
    this.drawButtons(parts.buttons, section.buttons);
    setHtml(parts.result, section.result_html);
  }

  // ---- what the learner does

  onInput(node) {
    const field = node.labkitField;
    this.edited.set(field.name, this.sent + 1);
    showRange(field, node);
    if (!this.view.live) return;
    clearTimeout(this.liveTimer);
    this.liveTimer = setTimeout(() => this.send("change"), LIVE_DELAY_MS);
  }

  onKey(event) {
    // Keys stay in the form: no handler of the page around it acts on them.
    event.stopPropagation();
    const typed = event.target.matches("input[type=text], input[type=number]");
    if (event.key !== "Enter" || !typed) return;
    event.preventDefault();
    const scope = event.target.closest(".lk-section") ?? this.root;
    (scope.querySelector("button.lk-primary") ?? this.root.querySelector(":scope > .lk-buttons button.lk-primary"))?.click();
  }

  onClick(node) {
    if (node.labkitButton.disabled) return;
    this.lastButton = node;
    this.send(node.labkitButton.action);
  }

  values() {
    const values = {};
    for (const node of this.root.querySelectorAll(".lk-field")) {
      if (node.labkitField) values[node.labkitField.name] = readField(node.labkitField, node);
    }
    return values;
  }

  send(action) {
    clearTimeout(this.liveTimer);
    this.sent += 1;
    this.root.setAttribute("aria-busy", "true");
    clearTimeout(this.noAnswerTimer);
    this.noAnswerTimer = setTimeout(() => this.complain(), ANSWER_WITHIN_MS);
    try {
      this.model.send({ kind: "event", action, values: this.values(), number: this.sent, form: this.prefix });
    } catch {
      this.complain();
    }
  }

  complain() {
    this.root.removeAttribute("aria-busy");
    const place = this.lastButton?.closest(".lk-section") ?? this.root;
    if (this.trouble.parentElement !== place) place.append(this.trouble);
    setText(this.trouble, NO_ANSWER);
  }

  // Every answered event is named in the view: which form sent it, and its number.
  readAnswer(answers) {
    if (answers?.form !== this.prefix) return;
    this.answered = Math.max(this.answered, answers.number);
    if (this.answered < this.sent) return;
    clearTimeout(this.noAnswerTimer);
    this.root.removeAttribute("aria-busy");
    setText(this.trouble, "");
  }

  // ---- focus: a node that was rebuilt gives it back

  rememberFocus() {
    const active = this.root.getRootNode().activeElement;
    if (!active || !this.root.contains(active)) return null;
    const caret = active.matches("input[type=text]") ? [active.selectionStart, active.selectionEnd] : null;
    return { active, id: active.id, name: active.name, value: active.value, action: active.labkitButton?.action, caret };
  }

  restoreFocus(focus) {
    if (!focus || (focus.active.isConnected && this.root.getRootNode().activeElement === focus.active)) return;
    const same = (node) =>
      (focus.id && node.id === focus.id) ||
      (focus.name && node.name === focus.name && node.value === focus.value) ||
      (focus.action && node.labkitButton?.action === focus.action);
    const node = [...this.root.querySelectorAll("input, select, button")].find(same);
    node?.focus();
    if (focus.caret && node?.matches("input[type=text]")) node.setSelectionRange(...focus.caret);
  }
}

function render({ model, el }) {
  const form = new FormView(model, el);
  const draw = () => form.draw();
  model.on("change:view", draw);
  return () => {
    model.off("change:view", draw);
    clearTimeout(form.liveTimer);
    clearTimeout(form.noAnswerTimer);
  };
}

export default { render };
