// Bundles the page into the Python package, or the given folder: index.html, app.js, app.css, icon.svg, and the licences
// of the bundled packages.
import { build } from "esbuild";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "..", "src", "antiphon", "serving", "page");
const bundled = ["preact", "wavesurfer.js"];

// wavesurfer.js writes an inline <style> into its shadow root, which the page's content security policy refuses. This
// plugin removes it; src/sound-lane.tsx adopts the same rules as a constructed style sheet.
const withoutInlineStyle = {
  name: "without-inline-style",
  setup({ onLoad }) {
    onLoad({ filter: /wavesurfer\.js[\\/]dist[\\/]renderer\.js$/ }, async ({ path }) => {
      const source = await readFile(path, "utf8");
      const pieces = source.split(/<style\b[\s\S]*?<\/style>/);
      if (pieces.length !== 2) throw new Error(`${path} has ${pieces.length - 1} inline styles instead of one`);
      return { contents: pieces.join(""), loader: "js" };
    });
  },
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await build({
  entryPoints: { app: join(here, "src", "main.tsx") },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  plugins: [withoutInlineStyle],
  logLevel: "warning",
});
for (const file of ["index.html", "icon.svg"]) await cp(join(here, "src", file), join(out, file));
const licences = await Promise.all(
  bundled.map(async (name) => {
    const folder = join(here, "node_modules", name);
    const { version } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    return `${name} ${version}\n\n${(await readFile(join(folder, "LICENSE"), "utf8")).trim()}\n`;
  }),
);
await writeFile(join(out, "licences.txt"), licences.join(`\n${"-".repeat(80)}\n\n`));
