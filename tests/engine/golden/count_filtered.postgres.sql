-- { books(filter: {title: {startsWith: "T1"}}) { totalCount } }
-- 1 statement

-- books
SELECT COUNT(*) AS n
FROM lib_book AS t
WHERE t.title COLLATE "C" >= ? AND t.title COLLATE "C" < ?;
