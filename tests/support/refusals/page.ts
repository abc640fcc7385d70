// docs/troubleshooting.md, made of the causes and of what clients printed.
import { causes } from './causes.ts';
import type { Cause } from './causes.ts';
import { clientNames, readPrinted } from './printed.ts';
import type { ClientName } from './printed.ts';

const head = `# Troubleshooting

What clients print when they get no image, by its cause; each text was printed by that client in a test that brings the cause about
(\`tests/real/refusals-*.test.ts\`; \`UPDATE_GOLDEN=1 npm test -- refusals\` writes this page anew). \`CACHE:5000\` is Breakwater, \`UPSTREAM\` a registry behind it.

Whoever runs Breakwater traces a refusal from either end:

\`\`\`sh
# What would they get, and why? Without --from, here and on another machine
breakwater explain docker.io/library/busybox:1.36 --as anonymous --from 192.0.2.7

# Who was refused what, and by which statement or setting: principal and reason stand in the access log, one JSON line a request
journalctl -u breakwater -o cat | jq -c 'select(.kind == "access" and .status >= 400) | {client_ip, repo, reference, status, principal, reason}'

# The same from the audit, where a policy, a setting or a rule refused
breakwater audit ls -o wide
\`\`\`

Every answer carries its request's id, \`X-Request-Id\`, which is \`request_id\` in the log and the audit. Reasons that only the operator may know are in the log alone: to a
caller without the right, what is hidden reads like what is not there.

A HEAD has no body, so its reason stands where clients look: behind the status in the status line, and in the challenge of a 401. What containerd is told with a 404 it writes into its own log alone;
Docker 29 prints nothing of what it is told with a 401. At a terminal Breakwater itself writes a line for whom it refuses.
A connection that comes to nothing before there is a request (a certificate that the client does not accept, plain HTTP sent to TLS or the other way round) is in the log with the client's address and why.
`;

export function renderPage(): string {
  return `${[head, ...causes.map(section)].join('\n')}`;
}

function section(cause: Cause): string {
  const rows = Object.entries(clientNames).flatMap(([client, name]) => {
    const text = readPrinted(client as ClientName)[cause.id];
    return text === undefined ? [] : [`| ${name} | ${cell(text)} |`];
  });
  const table = ['| client | prints |', '|---|---|', ...rows];
  return `## ${cause.title}\n\n**${cause.todo}**\n\n${table.join('\n')}\n`;
}

function cell(text: string): string {
  return text
    .split('\n')
    .map((line) => `\`${line.replaceAll('|', '\\|').replaceAll('`', "'")}\``)
    .join('<br>');
}
