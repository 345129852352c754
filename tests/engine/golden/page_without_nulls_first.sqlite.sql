-- { books(first: 10, orderBy: [{field: YEAR, direction: DESC, nulls: LAST}]) { nodes { title } } }
-- 1 statement

-- books
SELECT t.id, t.title
FROM lib_book AS t
WHERE 1 = 1
ORDER BY t.year DESC, t.id DESC
LIMIT ?;
