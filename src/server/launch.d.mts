/** Compiles the project unless a build of these sources exists; returns the build's folder. */
export function build(project?: string): Promise<string>;
