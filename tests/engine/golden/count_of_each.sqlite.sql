-- { writers(first: 10) { nodes { catalogue { totalCount } } } }
-- 2 statements

-- writers
SELECT t.id
FROM lib_author AS t
WHERE 1 = 1
ORDER BY t.id
LIMIT ?;

-- writers.nodes.catalogue
SELECT t.author_id, COUNT(*) AS n
FROM lib_book AS t
WHERE t.author_id IN (SELECT value
  FROM json_each(?))
GROUP BY t.author_id;
