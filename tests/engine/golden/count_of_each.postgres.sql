-- { writers(first: 10) { nodes { catalogue { totalCount } } } }
-- 2 statements

-- writers
SELECT t.id::text AS id
FROM lib_author AS t
WHERE 1 = 1
ORDER BY t.id
LIMIT 10;

-- writers.nodes.catalogue
SELECT t.author_id, COUNT(*) AS n
FROM lib_book AS t
WHERE t.author_id = ANY(?)
GROUP BY t.author_id;
