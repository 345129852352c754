-- { customers(first: 10) { nodes { interactions(first: 3) { nodes { kind occurredAt } } } } }
-- 2 statements

-- customers
SELECT t.id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name, t.id
LIMIT ?;

-- customers.nodes.interactions
SELECT t.id, t.kind, t.occurred_at, g.key AS _parent
FROM json_each(?) AS g
CROSS JOIN crm_interaction AS t ON t.rowid IN (SELECT t.rowid
  FROM crm_interaction AS t
  WHERE t.customer_id = g.value AND (1 = 1)
  ORDER BY t.occurred_at DESC, t.id DESC
  LIMIT ?)
ORDER BY t.occurred_at DESC, t.id DESC;
