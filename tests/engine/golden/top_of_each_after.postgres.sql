-- query ($after: String) { writers(first: 10) { nodes { catalogue(first: 2, after: $after) {
--   edges { cursor node { title } } pageInfo { hasNextPage } } } } }
-- 2 statements

-- writers
SELECT t.id::text AS id
FROM lib_author AS t
WHERE 1 = 1
ORDER BY t.id
LIMIT 10;

-- writers.nodes.catalogue
SELECT x._json, x._o0, x._o1, g.number - 1 AS _parent
FROM unnest(?::uuid[]) WITH ORDINALITY AS g(_parent, number)
CROSS JOIN LATERAL (SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json, t.published_at AS _o0, t.id AS _o1
  FROM lib_book AS t
  WHERE t.author_id = g._parent AND ((t.published_at, t.id) < (?, ?))
  ORDER BY t.published_at DESC, t.id DESC
  LIMIT 3) AS x
ORDER BY _o0 DESC, _o1 DESC;
