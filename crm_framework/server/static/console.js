"use strict";

// Kept for the browser's tab only, and sent nowhere but to this address.
const KEPT_AS = "crm.token";

const QUERY = `# The schema is in the pane on the left; Ctrl-Enter runs the query.
{
  me {
    name
  }
}
`;

const field = document.getElementById("token");
const status = document.getElementById("status");
const root = ReactDOM.createRoot(document.getElementById("console"));
let renders = 0;

function say(text) {
  status.textContent = text;
}

async function ask(request) {
  const token = sessionStorage.getItem(KEPT_AS);
  if (!token) {
    return { errors: [{ message: "Enter a token above first." }] };
  }
  const response = await fetch(location.pathname, {
    method: "POST",
    headers: {
      Accept: "application/graphql-response+json, application/json;q=0.9",
      Authorization: `Bearer ${token}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify(request),
  });
  const answer = await response.json();
  if (response.status === 401) {
    say(answer.errors[0].message);
  }
  return answer;
}

function render() {
  const token = sessionStorage.getItem(KEPT_AS);
  say(token ? "A token is in use in this tab." : "Enter a token to begin.");
  renders += 1;
  root.render(
    React.createElement(GraphiQL, {
      key: renders, // a new token may see another schema
      fetcher: ask,
      defaultQuery: QUERY,
      schema: token ? undefined : null,
      isHeadersEditorEnabled: false,
      showPersistHeadersSettings: false,
    }),
  );
}

document.getElementById("access").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = field.value.trim();
  if (token) {
    sessionStorage.setItem(KEPT_AS, token);
  } else {
    sessionStorage.removeItem(KEPT_AS);
  }
  field.value = "";
  render();
});

render();
