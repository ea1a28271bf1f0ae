/** Controls in the notebook's page, over the protocol of ipywidgets. */
export { Box, hbox, vbox } from "./boxes.js";
export {
  type BooleanOptions,
  Button,
  type ButtonOptions,
  button,
  type Choices,
  checkbox,
  dropdown,
  floatProgress,
  floatRangeSlider,
  floatSlider,
  html,
  intProgress,
  intRangeSlider,
  intSlider,
  label,
  type MultipleSelectionOptions,
  type NumberOptions,
  type ProgressOptions,
  type RangeOptions,
  radioButtons,
  type SelectionOptions,
  select,
  selectMultiple,
  type TextOptions,
  text,
  textarea,
  toggleButton,
  toggleButtons,
} from "./controls.js";
export { type ControlLike, type Controls, Interaction, interact, type ValueOf } from "./interact.js";
export { OutputArea, output } from "./output.js";
export {
  Control,
  type ControlOptions,
  MultipleSelectionWidget,
  SelectionWidget,
  ValueWidget,
} from "./value.js";
export { type State, Widget } from "./widget.js";
