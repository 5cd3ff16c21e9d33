// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a program, without a shell, in a process group of its own: the terminal's
 * interrupt is for this program, which first undoes what it did.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run.h"

/* With @out as its standard output, or this program's where that is negative. */
static int spawn(pid_t *pid, const char *const *argv, int out)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	int ret;

	posix_spawn_file_actions_init(&files);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (out >= 0)
		posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
	ret = posix_spawnp(pid, argv[0], &files, &attr, (char *const *)argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return -ret;
}

/* Its exit status, or a negative errno; -EINTR for one that a signal ended. */
static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
}

/**
 * run_start - start a program whose output is to be read
 * @program: set to it; to be ended by run_finish()
 * @argv: its name and arguments, and NULL
 *
 * Return: 0 or a negative errno.
 */
int run_start(struct program *program, const char *const *argv)
{
	int fds[2], ret;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	ret = spawn(&program->pid, argv, fds[1]);
	close(fds[1]);
	if (ret) {
		close(fds[0]);
		return ret;
	}
	program->out = fdopen(fds[0], "r");
	if (program->out)
		return 0;
	close(fds[0]);
	wait_for(program->pid);
	return -ENOMEM;
}

/**
 * run_finish - wait for the end of a program
 * @program: started by run_start()
 *
 * Return: its exit status, or a negative errno.
 */
int run_finish(struct program *program)
{
	fclose(program->out);
	return wait_for(program->pid);
}

/**
 * run_program - run a program until it ends
 * @argv: its name and arguments, and NULL
 *
 * Return: its exit status, or a negative errno.
 */
int run_program(const char *const *argv)
{
	pid_t pid;
	int ret = spawn(&pid, argv, -1);

	return ret ? ret : wait_for(pid);
}
