//! L03: pieces of SQL, and the prefixes by which the drivers of databases are known.

use std::sync::LazyLock;

use crate::contract::leak::pattern::Forms;

/// What gives away a database.
pub(super) static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    Forms::new(&[
        (
            "a piece of SQL",
            r#"(?-u:\b)SELECT\s[^\n]*\sFROM\s+\S|(?-u:\b)INSERT\s+INTO\s+\S+|(?-u:\b)UPDATE\s+\S+\s+SET\s+\S|(?-u:\b)DELETE\s+FROM\s+\S|(?-u:\b)select\s[^\n]*\sfrom ["`]|(?-u:\b)(?:insert into|update|delete from) ["`]"#,
        ),
        ("an SQLSTATE", r"(?-u:\b)SQLSTATE[\[:= (]+[0-9A-Z]{5}(?-u:\b)"),
        (
            "an error of PostgreSQL",
            r#"syntax error at or near "|relation "[^"\n]+" does not exist|column "[^"\n]+" does not exist|violates (?:unique|foreign key|not-null|check|exclusion) constraint|(?-u:\b)pq: |(?-u:\b)PG::[A-Z]|psycopg2?[.:]|org\.postgresql|asyncpg\.|password authentication failed for user|current transaction is aborted"#,
        ),
        (
            "an error of MySQL",
            r"You have an error in your SQL syntax|Duplicate entry '[^\n]*' for key|Unknown column '[^'\n]*' in|Table '[^'\n]+' doesn't exist|(?-u:\b)ER_[A-Z]+_[A-Z_]+(?-u:\b)|(?:MySQL|MariaDB) server (?:has gone away|version for the right syntax)|com\.mysql|(?-u:\b)Error 1[0-9]{3} \([0-9A-Z]{5}\)|pymysql|Access denied for user '",
        ),
        (
            "an error of SQLite",
            r#"(?-u:\b)SQLITE_[A-Z]+(?-u:\b)|(?-u:\b)sqlite3\.[A-Z]|no such (?:table|column): |near "[^"\n]+": syntax error|(?:UNIQUE|NOT NULL|FOREIGN KEY|CHECK) constraint failed|database is locked"#,
        ),
        (
            "an error of SQL Server",
            r"Unclosed quotation mark after the character string|Incorrect syntax near|Invalid object name '|(?-u:\b)Msg [0-9]+, Level [0-9]+, State|\[Microsoft\]\[|System\.Data\.SqlClient|Microsoft\.Data\.SqlClient|Violation of (?:UNIQUE|PRIMARY) KEY constraint",
        ),
        ("an error of Oracle", r"(?-u:\b)(?:ORA|PLS|TNS)-[0-9]{5}(?-u:\b)"),
        (
            "an error of MongoDB",
            r"(?-u:\b)E11000 duplicate key|(?-u:\b)Mongo(?:Server|Network|BulkWrite|Timeout|Parse|DB)?Error(?-u:\b)|com\.mongodb|pymongo\.errors|Cast to ObjectId failed",
        ),
        ("an error of Redis", r"(?-u:\b)WRONGTYPE Operation|(?-u:\b)NOAUTH Authentication|(?-u:\b)MOVED [0-9]+ [0-9.]+:"),
        (
            "an error of a database library",
            r"PrismaClient[A-Za-z]*Error|Sequelize[A-Za-z]*Error|sqlalchemy\.(?:exc|orm)|org\.hibernate|HibernateException|JDBC exception|could not execute (?:statement|query)|QueryFailedError|ActiveRecord::|Doctrine\\DBAL|gorm\.io",
        ),
        (
            "a connection that a driver could not make",
            r"(?-u:\b)(?:connect )?(?:ECONNREFUSED|EHOSTUNREACH|ENOTFOUND) \S|dial tcp \S+: (?:connect|lookup|i/o)",
        ),
    ])
});
