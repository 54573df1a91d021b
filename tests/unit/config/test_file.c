/* Files of KEY=value lines: valid lines, and the errors about others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/file.h"
#include "support/cases.h"
#include "support/files.h"

struct value_case {
    const char *name, *content;
    const char *want; /* of the key K; NULL: it is not there */
};

/* As docker compose reads the same lines; but see hidden_rows. */
static const struct value_case value_rows[] = {
    {"plain", "K=v\n", "v"},
    {"without a newline at the end", "K=v", "v"},
    {"CRLF", "K=v\r\nL=w\r\n", "v"},
    {"byte order mark", "\xef\xbb\xbfK=v\n", "v"},
    {"byte order mark before a comment", "\xef\xbb\xbf# c\nK=v\n", "v"},
    {"empty", "K=\n", ""},
    {"empty before a carriage return", "K=\r\n", ""},
    {"empty file", "", NULL},
    {"byte order mark alone", "\xef\xbb\xbf", NULL},
    {"blank lines", "\n \n\t\nK=v\n\n", "v"},
    {"spaces around all", "  K \t=  v  \n", "v"},
    {"form feeds around all", "K=\f\vv\v\f\n", "v"},
    {"spaces within", "K=a b\n", "a b"},
    {"carriage return within", "K=a\rb\n", "a\rb"},
    {"equals sign in the value", "K=a=b\n", "a=b"},
    {"comment line", "#K=no\nL=w\n", NULL},
    {"indented comment line", "  # K=no\nL=w\n", NULL},
    {"comment line without equals sign", "# words\nK=v\n", "v"},
    {"comment after a value", "K=v # words\n", "v"},
    {"comment without a space", "K=v #words\n", "v"},
    {"comment after a space after a tab", "K=v\t # words\n", "v"},
    {"number sign within a value", "K=v#w\n", "v#w"},
    {"number sign at the start", "K=#v\n", "#v"},
    {"single quotes", "K='v'\n", "v"},
    {"double quotes", "K=\"v\"\n", "v"},
    {"empty quotes", "K=''\n", ""},
    {"empty quotes before a comment", "K='' # words\n", ""},
    {"empty double quotes", "K=\"\"\n", ""},
    {"spaces kept by quotes", "K=' v '\n", " v "},
    {"number sign kept by quotes", "K=\"a # b\"\n", "a # b"},
    {"other quotes within quotes", "K='say \"v\"'\n", "say \"v\""},
    {"comment after quotes", "K='v' # words\n", "v"},
    {"comment after double quotes", "K=\"v\" # words\n", "v"},
    {"comment after quotes and a tab", "K='v'\t# words\n", "v"},
    {"spaces after quotes", "K= 'v' \r\n", "v"},
    {"quote within a value", "K=it's\n", "it's"},
    {"double quote within a value", "K=a\"b\"\n", "a\"b\""},
    {"backslash in a plain value", "K=a\\nb\\\n", "a\\nb\\"},
    {"nothing in single quotes", "K='$HOME ${X} $$ `id` \\n \\$'\n",
     "$HOME ${X} $$ `id` \\n \\$"},
    {"quote in single quotes", "K='it\\'s'\n", "it's"},
    {"backslashes in single quotes", "K='a\\\\'\n", "a\\\\"},
    {"escapes in double quotes",
     "K=\"\\a\\b\\f\\n\\r\\t\\v|\\\"\\\\\\$HOME\"\n",
     "\a\b\f\n\r\t\v|\"\\$HOME"},
    {"backslash before the closing quote", "K=\"a\\\\\"\n", "a\\"},
    {"what is no escape", "K=\"\\q \\x41 \\c \\' `id`\"\n",
     "\\q \\x41 \\c \\' `id`"},
    {"dollar at the end", "K=v$\n", "v$"},
    {"dollar before a digit", "K=v$5\n", "v$5"},
    {"dollar before a space", "K=v$ w\n", "v$ w"},
    {"dollar before an escape", "K=\"$\\n$\\\"\"\n", "$\n$\""},
    {"dollar in double quotes", "K=\"v$5\"\n", "v$5"},
    {"two escaped dollars", "K=\"\\$\\$x\"\n", "$$x"},
    {"export", "export K=v\n", "v"},
    {"export and blanks", " export \t K = v\n", "v"},
    {"export and a tab", "export\tK=v\n", "v"},
    {"export of quotes", "export K='v' # words\n", "v"},
    {"name that begins like export", "exportK=w\nK=v\n", "v"},
    {"last one wins", "K=1\nL=w\nK=2\n", "2"},
    {"last one wins, though empty", "K=1\nK=\n", ""},
    {"longer name", "KK=v\n", NULL},
    {"shorter name", "k=v\n", NULL},
    {"name of all sorts", "_a1=w\nK=v\n", "v"},
    {"bytes over 127", "K=\xd1\x8f\n", "\xd1\x8f"},
    {"characters of three and four bytes",
     "K=\xe2\x82\xac\xed\x9f\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\n",
     "\xe2\x82\xac\xed\x9f\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
    {"no-break space within",
     "K=a\xc2\xa0"
     "b\n",
     "a\xc2\xa0"
     "b"},
    {"no-break space in quotes", "K='\xc2\xa0'\n", "\xc2\xa0"},
};

/* Reads a file of this content; its errors are those wanted, if any. */
static void
file_load(const char *content, struct config_file *file)
{
    char path[FILES_PATH_MAX];
    struct buf errors = {0};

    CU_ASSERT_TRUE_FATAL(files_make(path, content, strlen(content)));
    CU_ASSERT_TRUE(config_file_read(file, "FILE", path, &errors));
    CU_ASSERT_EQUAL(errors.length, 0);
    buf_free(&errors);
    (void)unlink(path);
}

TEST_CASES(value, struct value_case, value_rows)
{
    struct config_file file = {0};
    const struct config_line *got;

    file_load(c->content, &file);
    got = config_file_get(&file, "K");
    CU_ASSERT_EQUAL(got == NULL, c->want == NULL);
    if (got != NULL && c->want != NULL) {
        CU_ASSERT_STRING_EQUAL(got->value, c->want);
        CU_ASSERT_PTR_NULL(got->fault);
        CU_ASSERT_FALSE(got->is_hidden);
    }
    config_file_free(&file);
    CU_ASSERT_PTR_NULL(file.text);
}

/* Comments that docker compose takes as a part of the value. */
static const struct value_case hidden_rows[] = {
    {"comment instead of a value", "K= # words\n", ""},
    {"comment instead of a value, no space", "K= #words\n", ""},
    {"comment instead of a value, after a tab", "K=\t# words\n", ""},
    {"comment after a tab", "K=v\t# words\n", "v"},
    {"comment after a tab after a space", "K=v \t# words\n", "v"},
    {"comment after a carriage return", "K=v\r# words\n", "v"},
};

TEST_CASES(hidden, struct value_case, hidden_rows)
{
    struct config_file file = {0};
    const struct config_line *got;

    file_load(c->content, &file);
    got = config_file_get(&file, "K");
    CU_ASSERT_PTR_NOT_NULL_FATAL(got);
    CU_ASSERT_STRING_EQUAL(got->value, c->want);
    CU_ASSERT_PTR_NULL(got->fault);
    CU_ASSERT_TRUE(got->is_hidden);
    config_file_free(&file);
}

/* Values that docker compose would read differently: K is in line 2. */
struct fault_case {
    const char *name, *content;
    const char *want; /* some words of the fault */
};

static const struct fault_case fault_rows[] = {
    {"variable", "\nK=a$HOME\n", "'single quotes'"},
    {"variable of a small letter", "\nK=$a\n", "'single quotes'"},
    {"variable that begins with '_'", "\nK=$_\n", "'single quotes'"},
    {"braces", "\nK=${HOME}\n", "'single quotes'"},
    {"two dollars", "\nK=pa$$word\n", "'single quotes'"},
    {"letter over 127", "\nK=$\xd1\x8f\n", "'single quotes'"},
    {"backslash is no escape", "\nK=\\$HOME\n", "'single quotes'"},
    {"variable in double quotes", "\nK=\"a $HOME\"\n", "'single quotes'"},
    {"two dollars in double quotes", "\nK=\"$$\"\n", "'single quotes'"},
    {"escaped backslash before it", "\nK=\"\\\\$HOME\"\n", "'single quotes'"},
    {"dollar before an escaped one", "\nK=\"$\\$x\"\n", "'single quotes'"},
    {"octal escape", "\nK=\"\\0101\"\n", "\\0 is no escape"},
    {"no-break space at the start", "\nK=\xc2\xa0v\n", "quotes"},
    {"no-break space at the end", "\nK=v\xc2\xa0\n", "quotes"},
    {"wide blank at the end", "\nK=v\xe3\x80\x80 # c\n", "quotes"},
    {"a byte that is no UTF-8", "\nK=\xff\n", "must be UTF-8"},
    {"cut-off character", "\nK=v\xd1\n", "must be UTF-8"},
    {"cut-off character of four bytes", "\nK=\xf0\x90\x80\n", "UTF-8"},
    {"over-long character", "\nK=\xc0\xaf\n", "must be UTF-8"},
    {"over-long character of three bytes", "\nK=\xe0\x9f\xbf\n", "UTF-8"},
    {"surrogate", "\nK='\xed\xa0\x80'\n", "must be UTF-8"},
    {"beyond the last character", "\nK=\"\xf4\x90\x80\x80\"\n", "UTF-8"},
};

TEST_CASES(fault, struct fault_case, fault_rows)
{
    struct config_file file = {0};
    const struct config_line *got;

    file_load(c->content, &file);
    got = config_file_get(&file, "K");
    CU_ASSERT_PTR_NOT_NULL_FATAL(got);
    CU_ASSERT_EQUAL(got->number, 2);
    CU_ASSERT_PTR_NOT_NULL(got->fault);
    if (got->fault != NULL)
        CU_ASSERT_PTR_NOT_NULL(strstr(got->fault, c->want));
    config_file_free(&file);
}

/* Unicode's White_Space beyond ASCII. */
static const char *const blanks[] = {
    "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80",
    "\xe2\x80\x81", "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84",
    "\xe2\x80\x85", "\xe2\x80\x86", "\xe2\x80\x87", "\xe2\x80\x88",
    "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8", "\xe2\x80\xa9",
    "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
};

TEST_SINGLE(each_blank, "compose trims each blank that there is")
{
    for (size_t i = 0; i < sizeof(blanks) / sizeof(blanks[0]); i++) {
        char content[16];
        struct config_file file = {0};
        const struct config_line *got;

        (void)snprintf(content, sizeof(content), "K=%sv\n", blanks[i]);
        file_load(content, &file);
        got = config_file_get(&file, "K");
        CU_ASSERT_PTR_NOT_NULL_FATAL(got);
        CU_ASSERT_PTR_NOT_NULL(got->fault);
        config_file_free(&file);
    }
}

struct line_case {
    const char *name, *content;
    const char *want; /* the errors, each after 'FILE: "path": ' */
};

#define NAME_FAULT "the name must be letters, digits and '_'"

static const struct line_case line_rows[] = {
    {"no equals sign", "K=v\nwords\n", "line 2: must be NAME=value"},
    {"name alone", "SECRET\n", "line 1: must be NAME=value"},
    {"no name", "=v\n", "line 1: " NAME_FAULT},
    {"space in the name", "a b=v\n", "line 1: " NAME_FAULT},
    {"export alone", "export\n", "line 1: must be NAME=value"},
    {"export of a name alone", "export K\n", "line 1: must be NAME=value"},
    {"export of no name", "export =v\n", "line 1: " NAME_FAULT},
    {"dot in the name", "a.b=v\n", "line 1: " NAME_FAULT},
    {"colon for an equals sign", "K: v\n", "line 1: must be NAME=value"},
    {"two byte order marks", "\xef\xbb\xbf\xef\xbb\xbfK=v\n",
     "line 1: " NAME_FAULT},
    {"digit first", "1K=v\n", "line 1: " NAME_FAULT},
    {"dash in the name", "a-b=v\n", "line 1: " NAME_FAULT},
    {"letters over 127", "\xd1\x8f=v\n", "line 1: " NAME_FAULT},
    {"quote not closed", "\n\nK='v\nL=w'\n",
     "line 3: the quote is not closed in this line"},
    {"quote closed by another", "K='v\"\n",
     "line 1: the quote is not closed in this line"},
    {"quote closed by none but an escaped one", "K='v\\'\n",
     "line 1: the quote is not closed in this line"},
    {"double quote closed by none but an escaped one", "K=\"v\\\"\n",
     "line 1: the quote is not closed in this line"},
    {"backslash at the end", "K=\"v\\\n",
     "line 1: the quote is not closed in this line"},
    {"text after the quote", "K='v'w\n",
     "line 1: there must be nothing after the closing quote"},
    {"comment too close to the quote", "K='v'#w\n",
     "line 1: there must be nothing after the closing quote"},
};

TEST_CASES(line, struct line_case, line_rows)
{
    char path[FILES_PATH_MAX];
    struct config_file file = {0};
    struct buf errors = {0}, want = {0};

    CU_ASSERT_TRUE_FATAL(files_make(path, c->content, strlen(c->content)));
    buf_printf(&want, "FILE: \"%s\": %s\n", path, c->want);
    CU_ASSERT_FALSE(config_file_read(&file, "FILE", path, &errors));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&errors), buf_bytes(&want)));
    config_file_free(&file);
    buf_free(&errors);
    buf_free(&want);
    (void)unlink(path);
}

TEST_SINGLE(mistakes, "all are told, and the good lines kept")
{
    static const char content[] = "one\nK=v\ntwo\nL=w\n";
    char path[FILES_PATH_MAX];
    struct config_file file = {0};
    struct buf errors = {0}, want = {0};

    CU_ASSERT_TRUE_FATAL(files_make(path, content, strlen(content)));
    buf_printf(&want,
               "FILE: \"%s\": line 1: must be NAME=value\n"
               "FILE: \"%s\": line 3: must be NAME=value\n",
               path, path);
    CU_ASSERT_FALSE(config_file_read(&file, "FILE", path, &errors));
    CU_ASSERT_TRUE(bytes_equal(buf_bytes(&errors), buf_bytes(&want)));
    CU_ASSERT_EQUAL(file.count, 2);
    CU_ASSERT_PTR_NOT_NULL(config_file_get(&file, "L"));
    config_file_free(&file);
    buf_free(&errors);
    buf_free(&want);
    (void)unlink(path);
}
