/** Notebook displays of robots that change while they drive. */
export { type CameraLayer, CameraView, type CameraViewOptions, type ShownBox } from "./camera-view.js";
export { type GraphTopic, RosGraphView, type RosGraphViewOptions } from "./graph-view.js";
export type { Estimate, Layers } from "./layers.js";
export { type LiveOptions, LiveView } from "./live-view.js";
export { type MapTopics, MapView, type MapViewOptions } from "./map-view.js";
export { TfTreeView } from "./tf-view.js";
export { type Field, messageText, TopicEcho, TopicPlot, type TopicPlotOptions } from "./topic-views.js";
export { WorldView, type WorldViewOptions } from "./world-view.js";
