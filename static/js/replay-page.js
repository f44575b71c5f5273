// The page on which staff plays somebody's answer again: what its rail needs, and no more.

import "./copy-button.js";
import "./local-time.js";
import "./replay.js";
import "./thinking.js";
import "./tool-card.js";
