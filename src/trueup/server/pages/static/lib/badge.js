// The address of an App's badge, and the line of a README that shows it. Pure.

/** @param {string} root where this server is reached, without a slash at its end @param {{app: {kind: string, namespace: string, name: string}, revision: boolean, named: boolean}} wish */
export function badgeAddress(root, { app, revision, named }) {
  const query = new URLSearchParams({ ...(app.kind === "Application" ? {} : { kind: app.kind }), namespace: app.namespace, name: app.name, ...(revision ? { revision: "true" } : {}), ...(named ? { showAppName: "true" } : {}) });
  return `${root}/api/badge?${query}`;
}

/** @param {"markdown" | "html" | "asciidoc" | "address"} form @param {{image: string, page: string, name: string}} what */
export function badgeText(form, { image, page, name }) {
  const html = (/** @type {string} */ text) => text.replace(/[&<>"]/g, (sign) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[sign] ?? sign);
  const plain = name.replace(/[\\[\]]/g, (sign) => `\\${sign}`);
  switch (form) {
    case "markdown":
      return `[![${plain}](${image})](${page})`;
    case "html":
      return `<a href="${html(page)}"><img src="${html(image)}" alt="${html(name)}"></a>`;
    case "asciidoc":
      return `image:${image}[${plain},link=${page}]`;
    default:
      return image;
  }
}
