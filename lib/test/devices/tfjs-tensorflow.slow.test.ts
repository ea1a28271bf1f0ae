import { describeTfjs } from "./tfjs.js";

describeTfjs({ native: 112 });
