/** The book's ROS 2 case study, with its names. (Book, chapter 14.) */
export { IRIS_ACTIONS, irisActionDeciderService } from "./action-decider.js";
export { AlexNet, fruitNetwork, type ImageClassifier, imageNetInput, loadClassifier } from "./classifier.js";
export { concatTwoStrClientAsync, concatTwoStrService } from "./concat-two-str.js";
export { DecisionTree, type DecisionTreeOptions } from "./decision-tree.js";
export { FRUIT_CLASSES, FRUIT_KINDS, type FruitKind, fruitClass, fruitPhoto } from "./fruit.js";
export { helloWorldNode, messageSubscriber, parametrisedHelloWorldNode } from "./hello-world.js";
export { type MySumServerOptions, type MySumTrace, mySumActionClient, mySumActionServer } from "./my-sum.js";
export { imagePublisherNode, type ObjectDetectorOptions, objectDetectorNode } from "./object-detector.js";
export { PACKAGES, type Program } from "./packages.js";
export { fruitAccuracy, type TrainFruitOptions, trainFruitNetwork } from "./train-fruit.js";
