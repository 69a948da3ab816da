// A prebuilt JupyterLab extension, small enough to be written by hand.
//
// In a notebook that is opened again, the kernel that drew a form is gone, and JupyterLab shows
// "Error displaying widget: model not found". This says what to do instead.

const STYLE = `
.jp-OutputArea-output.jupyter-widgets:not(:has(*)) { font-size: 0; }
.jp-OutputArea-output.jupyter-widgets:not(:has(*))::after {
  content: "This form has no kernel. Run this cell to use it.";
  color: var(--jp-content-font-color1);
  font-family: var(--jp-content-font-family);
  font-size: var(--jp-content-font-size1);
}`;

const plugin = {
  id: "labkit-forms:no-kernel",
  autoStart: true,
  activate: () => {
    const style = document.createElement("style");
    style.textContent = STYLE;
    document.head.append(style);
  },
};

// JupyterLab loads an extension through this interface of webpack's module federation.
globalThis._JUPYTERLAB ??= {};
globalThis._JUPYTERLAB["labkit-forms"] = {
  init: () => {},
  get: async () => () => ({ __esModule: true, default: plugin }),
};
