"use strict";

const js = require("@eslint/js");

const browser = Object.fromEntries([
	"document", "window", "location", "history", "navigator", "performance", "console", "matchMedia", "getComputedStyle",
	"requestAnimationFrame", "cancelAnimationFrame", "setTimeout", "clearTimeout", "queueMicrotask", "structuredClone",
	"addEventListener", "removeEventListener", "dispatchEvent", "devicePixelRatio", "innerWidth", "innerHeight", "scrollTo",
	"Event", "CustomEvent", "KeyboardEvent", "PointerEvent", "MouseEvent", "Element", "HTMLElement", "HTMLInputElement",
	"HTMLCanvasElement", "Node", "Path2D", "OffscreenCanvas", "Image", "ImageData", "DOMRect", "ResizeObserver", "IntersectionObserver",
	"MutationObserver", "Blob", "URL", "URLSearchParams", "TextDecoder", "TextEncoder", "Response", "ReadableStream", "DecompressionStream",
	"CompressionStream", "XMLSerializer", "atob", "btoa", "CSS", "ClipboardItem", "AbortController", "HTMLTextAreaElement", "HTMLSelectElement",
	"SVGElement", "HTMLDialogElement", "HTMLButtonElement", "HTMLDetailsElement", "WheelEvent", "TouchEvent", "Text", "DOMException", "PerformanceObserver",
].map((name) => [name, "readonly"]));

module.exports = [
	{ ignores: ["web/vendor/**"] },
	js.configs.recommended,
	{
		files: ["web/**/*.js"],
		languageOptions: { ecmaVersion: 2023, sourceType: "module", globals: { ...browser, uPlot: "readonly" } },
		linterOptions: { reportUnusedDisableDirectives: "error" },
		rules: {
			eqeqeq: "error",
			"no-eval": "error",
			"no-implied-eval": "error",
			"no-new-func": "error",
			"no-var": "error",
			"prefer-const": "error",
			// The page is made of text that strangers wrote, and goes nowhere.
			"no-restricted-properties": [
				"error",
				...["innerHTML", "outerHTML", "insertAdjacentHTML", "srcdoc"].map((property) => ({ property, message: "text is put in as text" })),
				{ object: "document", property: "write", message: "text is put in as text" },
			],
			"no-restricted-globals": ["error", ...["fetch", "XMLHttpRequest", "WebSocket", "EventSource", "localStorage", "sessionStorage"].map(
				(name) => ({ name, message: "the page asks nobody, and leaves nothing behind" }))],
		},
	},
	{ files: ["web/**/*.test.js"], languageOptions: { globals: { process: "readonly" } } },
];
