-- { customers(first: 10) { nodes { interactions(first: 3) { nodes { kind occurredAt } } } } }
-- 2 statements

-- customers
SELECT t.id::text AS id
FROM crm_customer AS t
WHERE t.merged_into_id IS NULL
ORDER BY t.sort_name COLLATE "C", t.id
LIMIT ?;

-- customers.nodes.interactions
SELECT x.id, x.kind, x.occurred_at, g.number - 1 AS _parent
FROM unnest(?::uuid[]) WITH ORDINALITY AS g(_parent, number)
CROSS JOIN LATERAL (SELECT t.id::text AS id, t.kind, t.occurred_at, t.occurred_at AS _o0, t.id AS _o1
  FROM crm_interaction AS t
  WHERE t.customer_id = g._parent AND (1 = 1)
  ORDER BY t.occurred_at DESC, t.id DESC
  LIMIT ?) AS x
ORDER BY _o0 DESC, _o1 DESC;
