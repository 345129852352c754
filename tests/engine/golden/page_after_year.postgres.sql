-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: YEAR, direction: ASC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT t.id::text AS id, t.title, t.year AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE ((t.year, t.id) > (?, ?)) OR (t.year IS NULL)
ORDER BY t.year, t.id
LIMIT ?;
