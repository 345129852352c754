-- { customers(first: 10) { nodes { timeline(first: 3) { nodes { title interaction { kind } } } } } }
-- 2 statements

-- customers
SELECT t.id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name, t.id
LIMIT ?;

-- customers.nodes.timeline.nodes.interaction
SELECT t.id, t.kind
FROM crm_interaction AS t
WHERE t.id IN (SELECT value
  FROM json_each(?));

-- past the engine
SELECT p.id, p.customer_id, p.kind, p.occurred_at, p.subject, p.channel, p.direction, p.outcome, p.sentiment, p.total_minor, p.currency, p.staff_id FROM json_each(?) c CROSS JOIN crm_interaction p ON p.id IN (SELECT id FROM crm_interaction WHERE customer_id = c.value ORDER BY occurred_at DESC, id DESC LIMIT 4) ORDER BY p.occurred_at DESC, p.id DESC;
