// Runs the audits of graphql-http against a server: node audit.mjs URL TOKEN. Prints one JSON object for each.
import { serverAudits } from 'graphql-http';

const [url, token] = process.argv.slice(2);
const fetchFn = (input, init = {}) => {
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${token}`);
  return fetch(input, { ...init, headers });
};

for (const audit of serverAudits({ url, fetchFn })) {
  const { name, id, status, reason } = await audit.fn();
  console.log(JSON.stringify({ name, id, status, reason }));
}
