// The page's behaviour: each import defines one custom element or one habit of the keyboard.
// Those that listen come before run-stream, which speaks as soon as it is defined.

import "./activity.js";
import "./composer.js";
import "./connection-bar.js";
import "./conversation-menu.js";
import "./conversation.js";
import "./copy-button.js";
import "./follow-scroll.js";
import "./live-status.js";
import "./local-time.js";
import "./message-edit.js";
import "./question-card.js";
import "./search.js";
import "./server-picker.js";
import "./replay.js";
import "./shortcuts.js";
import "./sidebar.js";
import "./suggestions.js";
import "./tab-state.js";
import "./theme.js";
import "./thinking.js";
import "./tool-card.js";
import "./run-stream.js";
import { openSocket } from "./socket.js";

openSocket();
