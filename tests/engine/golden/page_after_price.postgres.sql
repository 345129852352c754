-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: PRICE, direction: ASC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT '{"title":' || to_json(t.title COLLATE "C")::text || '}' AS _json, t.price AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE ((t.price, t.id) > (?, ?)) OR (t.price IS NULL)
ORDER BY t.price, t.id
LIMIT 10;
