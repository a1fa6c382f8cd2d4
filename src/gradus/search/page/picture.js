// The picture to search by: chosen, dropped or pasted; made small before it is sent.

import { at } from "./dom.js";

const LONGEST = 1024;

/**
 * A picture as the service gets it: at most 1024 pixels long, on white, without what cameras write beside it.
 * @param {Blob} file
 * @returns {Promise<Blob | null>} `null` where the file is no picture that the browser can read.
 */
export async function prepared(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    return null;
  }
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92));
}

/**
 * Take pictures from everywhere.
 * @param {(file: Blob) => void} taken
 */
export function takePictures(taken) {
  const file = /** @type {HTMLInputElement} */ (at("file"));
  at("choose").onclick = () => file.click();
  file.onchange = () => {
    if (file.files?.[0]) taken(file.files[0]);
    file.value = ""; // the same file may be chosen again
  };
  document.addEventListener("paste", (event) => {
    const item = [...(event.clipboardData?.files ?? [])].find((one) => one.type.startsWith("image/"));
    if (item) {
      event.preventDefault();
      taken(item);
    }
  });
  const overlay = at("drop");
  let depth = 0; // enters less leaves, over all elements
  const bears = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragenter", (event) => {
    if (bears(event)) overlay.hidden = ++depth === 0;
  });
  document.addEventListener("dragleave", (event) => {
    if (bears(event)) overlay.hidden = --depth === 0;
  });
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    depth = 0;
    overlay.hidden = true;
    const dropped = event.dataTransfer?.files[0];
    if (dropped) taken(dropped);
  });
}
