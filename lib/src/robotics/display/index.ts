/** Notebook displays of robots that change while they drive. */
export { type CameraLayer, CameraView, type CameraViewOptions, type ShownBox } from "./camera-view.js";
export { type LiveOptions, LiveView } from "./live-view.js";
export { type Estimate, type Layers, WorldView, type WorldViewOptions } from "./world-view.js";
