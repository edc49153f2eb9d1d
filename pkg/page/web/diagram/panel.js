import { coneCounts } from "../causal.js";
import { h } from "../dom.js";
import { formatCount, formatPlural } from "../format.js";
import { logLine } from "../run.js";
import { cutSentence, deed, eventName, messageFacts, messageName, relationOf } from "./describe.js";

/**
 * What is said below the diagram about what was chosen.
 *
 * @typedef {object} PanelActions
 * @property {(e: number) => void} goTo
 * @property {() => void} clear
 * @property {() => void} copyLink
 * @property {(m: number) => void} chooseMessage
 * @property {() => void} closeCut
 * @property {() => void} removeCut
 * @property {() => void} putBack
 *
 * @typedef {object} PanelContent
 * @property {number[]} chosen events
 * @property {number} message −1: none
 * @property {number[]} carriers messages that carried the clock of the one chosen event
 * @property {{report: import("../causal.js").CutReport, flying: number[], backward: number[]} | null} cut and some of the messages that cross it
 * @property {number} moved how many events were moved
 */

const chainShown = 12;
const crossingShown = 20;

/**
 * @param {import("../run.js").RunData} run @param {import("../causal.js").Causal} causal @param {PanelContent} content @param {PanelActions} actions
 * @returns {Node[]}
 */
export function panelContent(run, causal, content, actions) {
	const nodes = [];
	if (content.chosen.length === 1) nodes.push(onePanel(run, causal, content.chosen[0], content.carriers, actions));
	if (content.chosen.length === 2) nodes.push(twoPanel(run, causal, content.chosen[0], content.chosen[1], actions));
	if (content.message >= 0) nodes.push(messagePanel(run, content.message, actions));
	if (content.cut) nodes.push(cutPanel(run, content.cut, actions));
	if (content.moved > 0) {
		nodes.push(h("div", { class: "card-block" }, h("p", {}, `${formatPlural(content.moved, "event")} ${content.moved === 1 ? "is" : "are"} not where the log has ${content.moved === 1 ? "it" : "them"}. Any order that happened-before allows could have been seen. `,
			action("Put back", actions.putBack))));
	}
	if (nodes.length === 0) {
		nodes.push(h("p", { class: "diagram-hint" },
			"Click an event for its past and future, two events to compare them, an arrow for its message. Wheel or pinch zooms, drag pans; with the keyboard, arrows step from event to event."));
	}
	return nodes;
}

/** @param {string} label @param {() => void} onclick */
function action(label, onclick) {
	return h("button", { type: "button", class: "button small", onclick }, label);
}

/** @param {import("../run.js").RunData} run @param {number} e @param {string} letter @param {PanelActions} actions */
function eventLine(run, e, letter, actions) {
	return h("div", { class: "event-line" },
		h("p", {}, letter !== "" && h("b", { class: "letter" }, letter), h("button", { type: "button", class: "linklike", title: "Show it", onclick: () => actions.goTo(e) }, eventName(run, e)), `: ${deed(run, e)}`),
		h("code", { class: "log-line" }, logLine(run, e)));
}

/** @param {import("../run.js").RunData} run @param {import("../causal.js").Causal} causal @param {number} e @param {number[]} carriers @param {PanelActions} actions */
function onePanel(run, causal, e, carriers, actions) {
	const counts = coneCounts(run, causal.past(e), causal.future(e));
	/** @param {string} name @param {number} count @param {string} words */
	const chip = (name, count, words) => h("li", { class: `chip ${name}` }, h("span", { class: "swatch", "aria-hidden": "true" }), h("b", {}, formatCount(count)), ` ${words}`);
	return h("div", { class: "card-block" },
		eventLine(run, e, "", actions),
		h("ul", { class: "chips" }, chip("past", counts.past, "happened before it"), chip("future", counts.future, "after it"), chip("concurrent", counts.concurrent, "concurrent with it")),
		h("p", {}, carriedWords(run, e, carriers)),
		h("p", { class: "actions" }, action("Copy link", actions.copyLink), action("Clear", actions.clear), h("span", { class: "muted" }, "Click a second event to compare the two; drag a grey one to see where it could stand.")));
}

/** @param {import("../run.js").RunData} run @param {number} e @param {number[]} carriers */
function carriedWords(run, e, carriers) {
	const clock = `Its clock, ${formatCount(run.clock[e])}, `;
	if (carriers.length === 0) return `${clock}owes nothing to any message: the machine counted its own events.`;
	const machines = new Set(carriers.flatMap((m) => [run.machineOf[run.messages.send[m]], run.machineOf[run.messages.receive[m]]]));
	return `${clock}was carried to it by ${formatPlural(carriers.length, "message")} through ${formatPlural(machines.size, "machine")}: ` +
		`the longest chain of events that ends in it has ${formatCount(run.clock[e])} events. The last came from ${eventName(run, run.messages.send[carriers[carriers.length - 1]])}.`;
}

/** @param {import("../run.js").RunData} run @param {import("../causal.js").Causal} causal @param {number} a @param {number} b @param {PanelActions} actions */
function twoPanel(run, causal, a, b, actions) {
	const relation = relationOf(run, a, b, causal);
	const steps = relation.chain.slice(0, chainShown).map((m) => h("li", {},
		h("button", { type: "button", class: "linklike", onclick: () => actions.goTo(run.messages.send[m]) }, eventName(run, run.messages.send[m])), " → ",
		h("button", { type: "button", class: "linklike", onclick: () => actions.goTo(run.messages.receive[m]) }, eventName(run, run.messages.receive[m]))));
	const more = relation.chain.length - steps.length;
	return h("div", { class: "card-block" },
		h("p", { class: `relation ${relation.order}` }, relation.headline, "."),
		eventLine(run, a, "A", actions), eventLine(run, b, "B", actions),
		steps.length > 0 && h("details", { open: steps.length <= 4 }, h("summary", {}, "The chain"), h("ol", { class: "chain" }, ...steps), more > 0 && h("p", { class: "muted" }, `and ${formatPlural(more, "message")} more`)),
		h("table", { class: "readings" },
			h("thead", {}, h("tr", {}, ...["Clock", "It reads", "It says"].map((text) => h("th", { scope: "col", class: "words" }, text)))),
			h("tbody", {}, ...relation.clocks.map((c) => h("tr", {}, h("th", { scope: "row", class: "words" }, c.clock), h("td", { class: "words" }, c.reading), h("td", { class: "words" }, c.says))))),
		h("p", { class: "actions" }, action("Copy link", actions.copyLink), action("Clear", actions.clear)));
}

/** @param {import("../run.js").RunData} run @param {number} m @param {PanelActions} actions */
function messagePanel(run, m, actions) {
	const name = messageName(run, m);
	return h("div", { class: "card-block" },
		h("p", {}, h("b", {}, name[0].toUpperCase() + name.slice(1))),
		h("dl", { class: "message-facts" }, ...messageFacts(run, m).flatMap(([label, value]) => [
			h("dt", {}, label), h("dd", {}, label === "Send" || (label === "Receive" && value.includes("receive:")) ? h("code", { class: "log-line" }, value) : value)])),
		h("p", { class: "actions" }, action("Go to the send", () => actions.goTo(run.messages.send[m])),
			run.messages.receive[m] >= 0 && action("Go to the receive", () => actions.goTo(run.messages.receive[m])), action("Copy link", actions.copyLink), action("Clear", actions.clear)));
}

/** @param {import("../run.js").RunData} run @param {NonNullable<PanelContent["cut"]>} cut @param {PanelActions} actions */
function cutPanel(run, { report, flying, backward }, actions) {
	/** @param {string} title @param {number[]} messages @param {number} count @param {boolean} open */
	const listed = (title, messages, count, open) => count > 0 && h("details", { open }, h("summary", {}, `${title}: ${formatCount(count)}`), h("ul", { class: "chain" },
		...messages.slice(0, crossingShown).map((m) => h("li", {}, h("button", { type: "button", class: "linklike", onclick: () => actions.chooseMessage(m) }, messageName(run, m)))),
		count > crossingShown && h("li", { class: "muted" }, `and ${formatCount(count - crossingShown)} more`)));
	return h("div", { class: "card-block" },
		h("p", { class: report.consistent ? "cut-good" : "cut-bad" }, cutSentence(report)),
		listed("Received before they were sent", backward, report.violations, true), listed("In flight", flying, report.inFlight, report.inFlight <= 6),
		h("p", { class: "actions" }, !report.consistent && action("Take in what is missing", actions.closeCut), action("Remove the cut", actions.removeCut),
			h("span", { class: "muted" }, "Drag the line, or one of its points.")));
}
