/**
 * The keys of the diagram, and what they do: the table that is shown as help is the one that is looked up.
 *
 * @typedef {"nextEvent" | "previousEvent" | "machineUp" | "machineDown" | "followMessage" | "followSecond" | "choose" | "clear" | "zoomIn" | "zoomOut"
 *   | "panLeft" | "panRight" | "whole" | "firstEvent" | "lastEvent" | "search" | "nextHit" | "previousHit" | "switchAxis" | "toggleCut" | "cutBack" | "cutOn"
 *   | "foldQuiet" | "hideMachine" | "foldMachine" | "highlightMachine" | "raiseMachine" | "lowerMachine" | "moveBack" | "moveOn"} Command
 *
 * @type {{keys: string[], shown: string, words: string, commands: Command[]}[]}
 */
const bindings = [
	{ keys: ["ArrowRight", "ArrowLeft"], shown: "→ ←", words: "next, previous event of the machine", commands: ["nextEvent", "previousEvent"] },
	{ keys: ["ArrowUp", "ArrowDown"], shown: "↑ ↓", words: "to the machine above, below", commands: ["machineUp", "machineDown"] },
	{ keys: ["m", "M"], shown: "M", words: "along the message: from a send to its receive, from a receive to its send; Shift: the second message of a send", commands: ["followMessage", "followSecond"] },
	{ keys: ["Home", "End"], shown: "Home End", words: "first, last event of the machine", commands: ["firstEvent", "lastEvent"] },
	{ keys: ["Enter", " "], shown: "Enter", words: "choose the event: its past and future; a second one: how the two stand to each other", commands: ["choose", "choose"] },
	{ keys: ["Escape"], shown: "Esc", words: "choose nothing", commands: ["clear"] },
	{ keys: ["+", "=", "-"], shown: "+ −", words: "zoom", commands: ["zoomIn", "zoomIn", "zoomOut"] },
	{ keys: ["Shift+ArrowLeft", "Shift+ArrowRight"], shown: "Shift ← →", words: "pan", commands: ["panLeft", "panRight"] },
	{ keys: ["0"], shown: "0", words: "the whole run", commands: ["whole"] },
	{ keys: ["/"], shown: "/", words: "search", commands: ["search"] },
	{ keys: ["n", "N"], shown: "N, Shift N", words: "next, previous hit", commands: ["nextHit", "previousHit"] },
	{ keys: ["l"], shown: "L", words: "wall clock or logical time", commands: ["switchAxis"] },
	{ keys: ["q"], shown: "Q", words: "fold stretches without messages", commands: ["foldQuiet"] },
	{ keys: ["c", ",", "."], shown: "C , .", words: "cut; move it back, on", commands: ["toggleCut", "cutBack", "cutOn"] },
	{ keys: ["h", "f", "g"], shown: "H F G", words: "hide, fold, highlight the machine", commands: ["hideMachine", "foldMachine", "highlightMachine"] },
	{ keys: ["Alt+ArrowUp", "Alt+ArrowDown"], shown: "Alt ↑ ↓", words: "move the machine's line up, down", commands: ["raiseMachine", "lowerMachine"] },
	{ keys: ["Alt+ArrowLeft", "Alt+ArrowRight"], shown: "Alt ← →", words: "move a concurrent event back, on, within what happened-before allows", commands: ["moveBack", "moveOn"] },
];

/** For the help: keys and words. @type {[string, string][]} */
export const diagramKeys = [
	...bindings.map((b) => /** @type {[string, string]} */ ([b.shown, b.words])),
	["Wheel, pinch", "zoom; sideways: pan"],
	["Drag", "pan; a label: order; a grey event: move it"],
	["Shift drag", "zoom to a stretch"],
];

/** @param {KeyboardEvent} event @returns {Command | null} */
export function commandOf(event) {
	if (event.ctrlKey || event.metaKey) return null;
	const arrow = event.key.startsWith("Arrow");
	const key = `${event.altKey ? "Alt+" : ""}${event.shiftKey && arrow ? "Shift+" : ""}${event.key}`;
	for (const { keys, commands } of bindings) {
		const k = keys.indexOf(key);
		if (k >= 0) return commands[k];
	}
	return null;
}
