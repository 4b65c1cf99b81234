// Asks the conference's server.
export async function post(room, verb, body = {}) {
  const answer = await fetch(`/api/${room}/${verb}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error((await answer.text()) || answer.statusText);
  return answer.json();
}
