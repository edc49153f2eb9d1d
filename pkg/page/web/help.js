import { h } from "./dom.js";

/**
 * The dialog that lists the keys.
 *
 * @param {() => {title: string, keys: [string, string][]}[]} groups asked each time it opens
 */
export function createHelp(groups) {
	const content = h("div", {});
	const dialog = h("dialog", { "aria-labelledby": "help-title" },
		h("h2", { id: "help-title" }, "Keys"),
		content,
		h("button", { class: "button close", type: "button", onclick: () => dialog.close() }, "Close"));
	dialog.addEventListener("click", (event) => {
		if (event.target === dialog) dialog.close(); // beside it
	});
	const open = () => {
		content.replaceChildren(...groups().flatMap((group) => [
			h("h3", {}, group.title),
			h("dl", { class: "keys" }, group.keys.flatMap(([keys, what]) => [h("dt", {}, keyCaps(keys)), h("dd", {}, what)])),
		]));
		dialog.showModal();
	};
	document.addEventListener("keydown", (event) => {
		if (event.key !== "?" || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || dialog.open) return;
		event.preventDefault();
		open();
	});
	const button = h("button", { class: "button icon", type: "button", "aria-label": "Keys and help", title: "Keys and help (?)", "aria-haspopup": "dialog", onclick: open }, "?");
	return { dialog, button };
}

/**
 * Whether keys are text there.
 *
 * @param {EventTarget | null} target
 */
function isTyping(target) {
	return target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/**
 * "Shift+← / →" as caps, with what is between them as text.
 *
 * @param {string} keys
 */
function keyCaps(keys) {
	return keys.split(/(\s*[/+,]\s*|\s+)/).map((part, i) => i % 2 === 0 && part !== "" ? h("kbd", {}, part) : part);
}
