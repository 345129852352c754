-- query ($after: String) { books(first: 10, after: $after, orderBy: [{field: PRICE, direction: ASC}]) { nodes { title } pageInfo { endCursor } } }
-- 1 statement

-- books
SELECT t.id, t.title, CAST(t.price AS NUMERIC) AS _o0, t.id AS _o1
FROM lib_book AS t
WHERE ((CAST(t.price AS NUMERIC), t.id) > (?, ?)) OR (CAST(t.price AS NUMERIC) IS NULL)
ORDER BY CAST(t.price AS NUMERIC) NULLS LAST, t.id
LIMIT ?;
