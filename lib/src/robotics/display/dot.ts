/** Graphviz attributes shared by the drawings of the ROS graph, in the look of the library's own graphs. */
export const nodeStyle = `bgcolor="transparent"; ranksep=0.5; nodesep=0.2; node [fontname="Helvetica", fontsize=11, shape=box, style="rounded,filled", fillcolor="#ffffff", color="#7f7f7f", margin="0.2,0.06", height=0.3];`;
export const edgeStyle = `edge [fontname="Helvetica", fontsize=9, color="#7f7f7f", fontcolor="#7f7f7f", arrowsize=0.6];`;

/** A string of the DOT language. */
export const quoted = (text: string): string => `"${text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n")}"`;
