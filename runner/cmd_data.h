/* cmd_data: the subcommands of `loglog data`, one file each where long. */
#ifndef LOGLOG_RUNNER_CMD_DATA_H
#define LOGLOG_RUNNER_CMD_DATA_H

/* argv[0] is the subcommand's name.  Return the exit code. */
int data_pack(int argc, char **argv);
int data_info(int argc, char **argv);
int data_sample(int argc, char **argv);
int data_link(int argc, char **argv);
int data_mix(int argc, char **argv);
int data_text(int argc, char **argv);
int data_synth(int argc, char **argv);
int data_tokenize(int argc, char **argv);
int data_train_tokenizer(int argc, char **argv);
int data_get(int argc, char **argv);

#endif
