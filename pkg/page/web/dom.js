/**
 * Elements, made without markup: whatever a log says reaches the page as text.
 *
 * @typedef {string | number | Node | null | undefined | false} Child
 */

/**
 * Makes an element. Of the properties, `class` and those with a dash or `role` become attributes, `on…` listeners,
 * and all others properties of the element. There is no way to give it markup.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, properties = {}, ...children) {
	const element = document.createElement(tag);
	for (const [name, value] of Object.entries(properties)) {
		if (value === undefined || value === null || value === false) continue;
		if (name.startsWith("on")) {
			element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
		} else if (name === "class" || name === "role" || name === "for" || name === "scope" || name.includes("-")) {
			element.setAttribute(name, value === true ? "" : String(value));
		} else {
			/** @type {Record<string, unknown>} */ (/** @type {unknown} */ (element))[name] = value;
		}
	}
	element.append(...children.flat().filter(isShown));
	return element;
}

/**
 * @param {Child} child
 * @returns {child is string | Node}
 */
function isShown(child) {
	return child !== null && child !== undefined && child !== false && child !== "";
}

/**
 * Calls back when the size of an element has changed, and once at the beginning: in the next frame, since what is drawn
 * there may change sizes again.
 *
 * @param {Element} element
 * @param {() => void} resized
 */
export function onResize(element, resized) {
	let frame = 0;
	new ResizeObserver(() => {
		if (frame === 0) {
			frame = requestAnimationFrame(() => {
				frame = 0;
				resized();
			});
		}
	}).observe(element);
}
