/* The only file that knows libsmartcols and the locale. */
#include <libsmartcols/libsmartcols.h>
#include <locale.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "cli/output.h"

static bool started;

void terminal_start(void)
{
	if (started)
		return;
	started = true;
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)     /* our texts are UTF-8, whatever the locale is */
		setlocale(LC_CTYPE, "");
}

size_t terminal_width(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? w.ws_col : 80;
}

static int flags_of(enum cell cell)
{
	switch (cell) {
	case CELL_NUMBER: case CELL_PERCENT: case CELL_BAR: case CELL_COUNT: return SCOLS_FL_RIGHT;
	case CELL_TEXT: return SCOLS_FL_TRUNC;
	default: return 0;
	}
}

enum err table_render(char **out, const struct column *columns, size_t n, const char *const *cells, size_t n_rows, size_t width)
{
	struct libscols_table *t = scols_new_table();
	enum err e = ERR_NOMEM;

	*out = NULL;
	if (t == NULL)
		return ERR_NOMEM;
	scols_table_set_termforce(t, SCOLS_TERMFORCE_ALWAYS);
	scols_table_set_termwidth(t, width);
	scols_table_enable_nowrap(t, 1);
	if (colourful())
		scols_table_enable_colors(t, 1);
	for (size_t k = 0; k < n; k++)
		if (scols_table_new_column(t, columns[k].title, columns[k].cell == CELL_TEXT ? 0.1 : 1, flags_of(columns[k].cell)) == NULL)
			goto done;
	for (size_t i = 0; i < n_rows; i++) {
		struct libscols_line *line = scols_table_new_line(t, NULL);
		for (size_t k = 0; k < n; k++)
			if (line == NULL || scols_line_set_data(line, k, cells[i * n + k]) != 0)
				goto done;
	}
	if (scols_print_table_to_string(t, out) == 0 && *out != NULL)
		e = OK;                         /* without a newline at the end */
done:
	scols_unref_table(t);
	return e;
}
