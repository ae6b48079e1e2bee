/*
 * completion: what a shell needs to complete commands and options. Made from the tables of commands
 * and options, so that what a shell offers is what there is.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "ctl/command.h"
#include "ctl/lang.h"

static const char common[] = "--config --json --wide --lang --help --version --reason --dry-run";

/* Names of the options that take a value. */
static void
print_valued(void)
{
	const char *name;
	bool flag;

	fputs("-c|--config|--reason|--lang", stdout);
	for (size_t i = 0; (name = ctl_option(i, &flag)) != NULL; i++)
		if (!flag)
			printf("|--%s", name);
}

/* "--room --user --cid" */
static void
print_options(const struct command *c, const char *before)
{
	for (const char *p = c->options; *p != '\0'; p += strcspn(p, " "), p += strspn(p, " ")) {
		printf("%s--%.*s", before, (int)strcspn(p, " "), p);
		before = " ";
	}
}

/* The length of the first word, and whether the command before begins with the same. */
static size_t
first_word(size_t i, bool *is_new)
{
	const char *w = ctl_command(i)->words, *before = i > 0 ? ctl_command(i - 1)->words : "";
	size_t len = strcspn(w, " ");

	*is_new = strncmp(w, before, len) != 0 || strcspn(before, " ") != len;
	return len;
}

/* "status holds payment ..." */
static void
print_first_words(void)
{
	bool is_new;

	for (size_t i = 0; ctl_command(i) != NULL; i++) {
		size_t len = first_word(i, &is_new);

		if (is_new)
			printf("%s%.*s", i > 0 ? " " : "", (int)len, ctl_command(i)->words);
	}
}

/* For each first word the second ones: between FORM's two places, as "holds" and "list show
 * release". */
static void
print_second_words(const char *open, const char *between, const char *close)
{
	bool is_new, next_is_new;

	for (size_t i = 0; ctl_command(i) != NULL; i++) {
		const char *w = ctl_command(i)->words;
		size_t len = first_word(i, &is_new);

		if (w[len] == '\0')
			continue;
		if (is_new)
			printf("%s%.*s%s", open, (int)len, w, between);
		printf("%s%s", is_new ? "" : " ", w + len + 1);
		next_is_new = true;
		if (ctl_command(i + 1) != NULL)
			first_word(i + 1, &next_is_new);
		if (next_is_new)
			fputs(close, stdout);
	}
}

static void
print_bash(void)
{
	fputs("# bash completion for roompayctl; made by: roompayctl completion\n"
	      "_roompayctl() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} words=() w skip=0 line\n"
	      "\tfor w in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	      "\t\tif [ $skip = 1 ]; then skip=0; continue; fi\n"
	      "\t\tcase $w in ",
	    stdout);
	print_valued();
	printf(") skip=1 ;; -*) ;; *) words+=(\"$w\") ;; esac\n"
	       "\tdone\n"
	       "\tif [[ $cur == -* ]]; then\n"
	       "\t\tline='%s'\n"
	       "\t\tcase \"${words[*]}\" in\n",
	    common);
	for (size_t i = 0; ctl_command(i) != NULL; i++)
		if (ctl_command(i)->options[0] != '\0') {
			printf("\t\t'%s'*) line+='", ctl_command(i)->words);
			print_options(ctl_command(i), " ");
			puts("' ;;");
		}
	fputs("\t\tesac\n\telse\n\t\tcase \"${words[*]}\" in\n\t\t'') line='", stdout);
	print_first_words();
	puts("' ;;");
	print_second_words("\t\t", ") line='", "' ;;\n");
	fputs("\t\t*) line= ;;\n\t\tesac\n\tfi\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$line\" -- \"$cur\")\n}\n"
	      "complete -o default -F _roompayctl roompayctl\n",
	    stdout);
}

static void
print_zsh(void)
{
	fputs("#compdef roompayctl\n"
	      "# zsh completion for roompayctl; made by: roompayctl completion zsh\n"
	      "_roompayctl() {\n"
	      "\tlocal w skip=0 typed\n"
	      "\tlocal -a found line\n"
	      "\tfor w in \"${(@)words[2,CURRENT-1]}\"; do\n"
	      "\t\tif (( skip )); then skip=0; continue; fi\n"
	      "\t\tcase $w in (",
	    stdout);
	print_valued();
	printf(") skip=1 ;; (-*) ;; (*) found+=(\"$w\") ;; esac\n"
	       "\tdone\n"
	       "\ttyped=\"${found[*]}\"\n"
	       "\tif [[ ${words[CURRENT]} == -* ]]; then\n"
	       "\t\tline=(%s)\n"
	       "\t\tcase $typed in\n",
	    common);
	for (size_t i = 0; ctl_command(i) != NULL; i++)
		if (ctl_command(i)->options[0] != '\0') {
			printf("\t\t('%s'*) line+=(", ctl_command(i)->words);
			print_options(ctl_command(i), "");
			puts(") ;;");
		}
	fputs("\t\tesac\n\telse\n\t\tcase $typed in\n\t\t('') line=(", stdout);
	print_first_words();
	puts(") ;;");
	print_second_words("\t\t(", ") line=(", ") ;;\n");
	fputs(
	    "\t\tesac\n\tfi\n"
	    "\tif (( $#line )); then compadd -- $line; elif [[ ${words[CURRENT]} != -* ]]; then _files; fi\n}\n"
	    "if [[ \"${funcstack[1]}\" == _roompayctl ]]; then _roompayctl \"$@\"; else compdef _roompayctl roompayctl; fi\n",
	    stdout);
}

static void
print_fish(void)
{
	fputs("# fish completion for roompayctl; made by: roompayctl completion fish\n"
	      "function __roompayctl_typed\n"
	      "\tset -l found\n\tset -l skip 0\n"
	      "\tset -l words (commandline -opc)\n"
	      "\tfor w in $words[2..-1]\n"
	      "\t\tif test $skip = 1\n\t\t\tset skip 0\n\t\t\tcontinue\n\t\tend\n"
	      "\t\tif string match -qr -- '^(",
	    stdout);
	print_valued();
	fputs(
	    ")$' $w\n\t\t\tset skip 1\n"
	    "\t\telse if not string match -q -- '-*' $w\n\t\t\tset -a found $w\n\t\tend\n\tend\n"
	    "\techo \"$found\"\nend\n"
	    "function __roompayctl_at\n\ttest (__roompayctl_typed) = \"$argv\"\nend\n"
	    "function __roompayctl_in\n\tstring match -q -- \"$argv*\" (__roompayctl_typed)\nend\n"
	    "complete -c roompayctl -f\n"
	    "complete -c roompayctl -s c -l config -r -F\n"
	    "complete -c roompayctl -l json\ncomplete -c roompayctl -l wide\ncomplete -c roompayctl -l help\n"
	    "complete -c roompayctl -l version\ncomplete -c roompayctl -l dry-run\ncomplete -c roompayctl -l reason -x\n"
	    "complete -c roompayctl -l lang -x -a 'ko en'\n"
	    "complete -c roompayctl -n \"__roompayctl_at ''\" -a '",
	    stdout);
	print_first_words();
	puts("'");
	print_second_words("complete -c roompayctl -n '__roompayctl_at ", "' -a '", "'\n");
	for (size_t i = 0; ctl_command(i) != NULL; i++) {
		const struct command *c = ctl_command(i);

		for (const char *p = c->options; *p != '\0';
		     p += strcspn(p, " "), p += strspn(p, " ")) {
			int len = (int)strcspn(p, " ");
			const char *name;
			bool flag = false;

			for (size_t k = 0; (name = ctl_option(k, &flag)) != NULL; k++)
				if (strncmp(name, p, (size_t)len) == 0 && name[len] == '\0')
					break;
			printf("complete -c roompayctl -n '__roompayctl_in \"%s\"' -l %.*s%s\n",
			    c->words, len, p, flag ? "" : " -x");
		}
	}
}

enum ctl_exit
ctl_completion(const struct options *o, const struct conf *conf)
{
	static const struct {
		const char *name;
		void (*print)(void);
	} shells[] = { { "bash", print_bash }, { "zsh", print_zsh }, { "fish", print_fish } };
	const char *shell = o->n_args > 0 ? o->args[0] : "bash";

	(void)conf;
	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(shells[i].name, shell) == 0) {
			shells[i].print();
			return CTL_OK;
		}
	fputs(tr("roompayctl: completion is for bash, zsh or fish\n",
		  "roompayctl: completion은 bash, zsh, fish용입니다\n"),
	    stderr);
	return CTL_USAGE;
}
