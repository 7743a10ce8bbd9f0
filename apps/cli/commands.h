/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - the one table of commands: parsing, help and completion read it. */
#ifndef XREM_COMMANDS_H
#define XREM_COMMANDS_H

#include "args.h"

#define XREM_ANY 100000u /* no limit to the number of words */

extern const xrem_cmd xrem_commands[];
extern const size_t xrem_n_commands;
extern const xrem_opt xrem_global_opts[]; /* understood by every command */
extern const size_t xrem_n_global_opts;

const xrem_cmd *xrem_command_find(const char *group, const char *name); /* NULL when unknown */
bool xrem_is_group(const char *word);
/* What may stand next: commands of `group`, or with NULL those of the top level and the
 * groups.  Returns how many were put into names[]. */
size_t xrem_command_names(const char *group, const char **names, size_t max);
/* True of a command that asks no server, and so needs to know none. */
bool xrem_cmd_is_local(const xrem_cmd *cmd);
const char *xrem_cmd_title(xrem *c, const xrem_cmd *cmd); /* "device add" */

/* One a command, each in the file of its group; a description is in the table. */
int xrem_run_get(xrem *c, const xrem_args *a);
int xrem_run_set(xrem *c, const xrem_args *a);
int xrem_run_add(xrem *c, const xrem_args *a);
int xrem_run_delete(xrem *c, const xrem_args *a);
int xrem_run_copy(xrem *c, const xrem_args *a);
int xrem_run_exec(xrem *c, const xrem_args *a);
int xrem_run_run(xrem *c, const xrem_args *a);
int xrem_run_tree(xrem *c, const xrem_args *a);
int xrem_run_device_add(xrem *c, const xrem_args *a);
int xrem_run_device_list(xrem *c, const xrem_args *a);
int xrem_run_device_show(xrem *c, const xrem_args *a);
int xrem_run_device_set(xrem *c, const xrem_args *a);
int xrem_run_device_remove(xrem *c, const xrem_args *a);
int xrem_run_device_wake(xrem *c, const xrem_args *a);
int xrem_run_device_approve(xrem *c, const xrem_args *a);
int xrem_run_job_list(xrem *c, const xrem_args *a);
int xrem_run_job_show(xrem *c, const xrem_args *a);
int xrem_run_job_cancel(xrem *c, const xrem_args *a);
int xrem_run_job_watch(xrem *c, const xrem_args *a);
int xrem_run_session_list(xrem *c, const xrem_args *a);
int xrem_run_session_show(xrem *c, const xrem_args *a);
int xrem_run_token_list(xrem *c, const xrem_args *a);
int xrem_run_token_add(xrem *c, const xrem_args *a);
int xrem_run_token_remove(xrem *c, const xrem_args *a);
int xrem_run_event(xrem *c, const xrem_args *a);
int xrem_run_device_expect(xrem *c, const xrem_args *a);
int xrem_run_gateway_list(xrem *c, const xrem_args *a);
int xrem_run_gateway_show(xrem *c, const xrem_args *a);
int xrem_run_gateway_devices(xrem *c, const xrem_args *a);
int xrem_run_gateway_sync(xrem *c, const xrem_args *a);
int xrem_run_gateway_replace(xrem *c, const xrem_args *a);
int xrem_run_gateway_move(xrem *c, const xrem_args *a);
int xrem_run_gateway_forget(xrem *c, const xrem_args *a);
int xrem_run_campaign_create(xrem *c, const xrem_args *a);
int xrem_run_campaign_list(xrem *c, const xrem_args *a);
int xrem_run_campaign_show(xrem *c, const xrem_args *a);
int xrem_run_campaign_devices(xrem *c, const xrem_args *a);
int xrem_run_campaign_act(xrem *c, const xrem_args *a);
int xrem_run_campaign_retry(xrem *c, const xrem_args *a);
int xrem_run_campaign_rollback(xrem *c, const xrem_args *a);
int xrem_run_campaign_remove(xrem *c, const xrem_args *a);
int xrem_run_campaign_watch(xrem *c, const xrem_args *a);
int xrem_run_alarm_list(xrem *c, const xrem_args *a);
int xrem_run_alarm_counts(xrem *c, const xrem_args *a);
int xrem_run_alarm_show(xrem *c, const xrem_args *a);
int xrem_run_alarm_ack(xrem *c, const xrem_args *a);
int xrem_run_alarm_comment(xrem *c, const xrem_args *a);
int xrem_run_alarm_judge(xrem *c, const xrem_args *a);
int xrem_run_alarm_clear(xrem *c, const xrem_args *a);
int xrem_run_alarm_raise(xrem *c, const xrem_args *a);
int xrem_run_alarm_rules(xrem *c, const xrem_args *a);
int xrem_run_metric_list(xrem *c, const xrem_args *a);
int xrem_run_metric_get(xrem *c, const xrem_args *a);
int xrem_run_metric_put(xrem *c, const xrem_args *a);
int xrem_run_metric_collect(xrem *c, const xrem_args *a);
int xrem_run_metric_collections(xrem *c, const xrem_args *a);
int xrem_run_metric_stop(xrem *c, const xrem_args *a);
int xrem_run_threshold_list(xrem *c, const xrem_args *a);
int xrem_run_threshold_add(xrem *c, const xrem_args *a);
int xrem_run_threshold_remove(xrem *c, const xrem_args *a);
int xrem_run_template_list(xrem *c, const xrem_args *a);
int xrem_run_template_show(xrem *c, const xrem_args *a);
int xrem_run_template_add(xrem *c, const xrem_args *a);
int xrem_run_template_set(xrem *c, const xrem_args *a);
int xrem_run_template_remove(xrem *c, const xrem_args *a);
int xrem_run_template_devices(xrem *c, const xrem_args *a);
int xrem_run_template_diff(xrem *c, const xrem_args *a);
int xrem_run_template_check(xrem *c, const xrem_args *a);
int xrem_run_webhook_list(xrem *c, const xrem_args *a);
int xrem_run_webhook_add(xrem *c, const xrem_args *a);
int xrem_run_webhook_set(xrem *c, const xrem_args *a);
int xrem_run_webhook_remove(xrem *c, const xrem_args *a);
int xrem_run_webhook_test(xrem *c, const xrem_args *a);
int xrem_run_rule_list(xrem *c, const xrem_args *a);
int xrem_run_rule_show(xrem *c, const xrem_args *a);
int xrem_run_rule_add(xrem *c, const xrem_args *a);
int xrem_run_rule_set(xrem *c, const xrem_args *a);
int xrem_run_rule_remove(xrem *c, const xrem_args *a);
int xrem_run_package_list(xrem *c, const xrem_args *a);
int xrem_run_package_show(xrem *c, const xrem_args *a);
int xrem_run_package_add(xrem *c, const xrem_args *a);
int xrem_run_package_set(xrem *c, const xrem_args *a);
int xrem_run_package_remove(xrem *c, const xrem_args *a);
int xrem_run_package_fetch(xrem *c, const xrem_args *a);
int xrem_run_health(xrem *c, const xrem_args *a);
int xrem_run_msg_decode(xrem *c, const xrem_args *a);
int xrem_run_msg_convert(xrem *c, const xrem_args *a);
int xrem_run_ddf_check(xrem *c, const xrem_args *a);
int xrem_run_ddf_show(xrem *c, const xrem_args *a);
int xrem_run_tnds_to(xrem *c, const xrem_args *a);
int xrem_run_tnds_from(xrem *c, const xrem_args *a);
int xrem_run_notify_make(xrem *c, const xrem_args *a);
int xrem_run_notify_decode(xrem *c, const xrem_args *a);
int xrem_run_bootstrap_make(xrem *c, const xrem_args *a);
int xrem_run_bootstrap_show(xrem *c, const xrem_args *a);
int xrem_run_auth_compute(xrem *c, const xrem_args *a);
int xrem_run_help(xrem *c, const xrem_args *a);

#endif
