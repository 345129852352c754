-- { books { totalCount } }
-- 1 statement

-- books
SELECT COUNT(*) AS n
FROM lib_book AS t
WHERE 1 = 1;
