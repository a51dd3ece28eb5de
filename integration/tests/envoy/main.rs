//! Portcullis in a real Envoy, by theme. Each test starts its own Envoy.
//!
//! Where Envoy or the module is missing the tests are counted as ignored, and it is said why.
//! `cargo xtask test` provides both.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    clippy::print_stderr,
    reason = "tests"
)]

mod bodies;
mod bundle;
mod challenge;
mod conditions;
mod countries;
mod countries_load;
mod fingerprints;
mod flow;
mod harness;
mod logs;
mod manifests;
#[path = "../../../rules/tests/support/mmdb.rs"]
mod mmdb;
mod network;
mod network_http;
mod network_load;
mod network_support;
mod operations;
mod overload;
mod phases;
mod protocols;
mod recipes;
mod resolutions;
mod risk;
mod risk_load;
mod risk_rules;
mod support;
mod tarpit_load;

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use portcullis_integration::{Prerequisites, find_envoy};

/// What a test needs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    /// Envoy alone: tests of the harness itself.
    Envoy,
    /// Envoy and the module.
    Module,
    /// Both, and Chromium.
    Browser,
    /// Both, and openssl and curl.
    Tls,
}

type Test = (&'static str, Needs, fn() -> Pin<Box<dyn Future<Output = ()>>>);

macro_rules! tests {
    ($( $needs:ident $theme:ident { $($name:ident,)+ } )+) => {
        &[ $($( (
            concat!(stringify!($theme), "::", stringify!($name)),
            Needs::$needs,
            || Box::pin($theme::$name()),
        ), )+)+ ]
    };
}

const TESTS: &[Test] = tests! {
    Envoy harness {
        requests_pass_over_both_protocols,
        bodies_in_pieces_arrive_whole,
        bytes_beyond_ascii_pass,
        trailers_pass_both_ways,
        an_answer_can_be_described,
        an_event_stream_flows,
        a_websocket_echoes,
        grpc_passes,
        a_refused_configuration_is_reported,
        the_shipped_configuration_is_valid_without_the_filter,
    }
    Module phases {
        each_phase_denies_in_strict_mode,
        each_phase_denies_in_streaming_mode,
        a_large_page_is_replaced_as_a_whole,
        a_large_page_in_streaming_mode_is_reset_without_a_byte_of_it,
        the_logging_phase_sees_the_response_and_changes_nothing,
        what_no_rule_matches_passes_unchanged,
    }
    Module resolutions {
        redirects_carry_their_location,
        drop_gives_no_answer,
        allow_ends_the_rules,
        pass_goes_on,
        the_default_action_is_the_rule_sets_own,
        two_rule_sets_keep_their_own_settings,
        only_logging_refuses_nothing,
    }
    Module flow {
        skip_leaves_rules_of_the_phase_out,
        skip_after_jumps_to_a_mark,
        skip_after_jumps_to_a_rule,
    }
    Module conditions {
        multi_match_tests_each_stage,
        a_count_tells_absence,
        negation_is_per_value,
        all_conditions_of_a_rule_must_apply,
        values_are_transformed_in_order,
    }
    Module bodies {
        a_body_in_many_pieces_is_judged_as_one,
        a_pattern_across_pieces_is_found,
        a_request_over_its_limit_is_judged_on_its_beginning,
        a_request_over_its_limit_is_refused,
        a_response_over_its_limit_is_delivered_whole,
        a_response_over_its_limit_is_refused,
        a_body_larger_than_the_buffer_passes_once_judged,
        only_listed_media_types_are_inspected,
    }
    Module bundle {
        the_core_rule_set_refuses_an_attack_and_passes_a_search,
        readmes_commands_give_a_firewall,
    }
    Module protocols {
        a_connection_serves_on_after_a_refusal,
        bytes_beyond_ascii_are_judged_and_harmless,
        request_trailers_are_judged,
        response_trailers_are_judged,
        a_refused_grpc_call_has_a_grpc_status,
        grpc_calls_pass,
        event_streams_are_not_held,
        websockets_are_not_held,
        more_than_one_host_is_refused,
        bodies_that_envoy_does_not_show_are_noticed,
        head_requests_work,
        an_upstream_with_http2_works,
    }
    Module logs {
        an_audit_record_is_one_line_of_json,
        a_record_has_the_status_that_the_client_got,
        go_ftw_finds_what_lies_between_its_markers,
    }
    Module operations {
        a_bad_policy_is_refused_at_start_with_all_its_errors,
        a_policy_that_is_no_json_is_refused,
        other_forms_of_a_configuration_are_called_by_their_names,
        warnings_and_notes_are_logged_once_per_load,
        counters_have_no_prefix_for_prometheus,
        rules_see_the_headers_that_envoy_adds,
        the_documented_format_makes_envoys_log_json,
        counters_tell_outcome_and_phase,
        the_page_fits_the_accept_header_and_names_the_request,
        a_match_is_logged_in_one_line,
        all_workers_have_the_policy,
        the_shipped_configuration_is_valid,
        the_demo_is_as_expected,
    }
    Module network {
        accept_by_each_form_and_action,
        connect_by_each_form_and_action,
        bind_server_by_each_form_and_action,
        bind_client_by_the_address_that_is_used,
        bind_client_over_ipv6_and_any,
        a_whitelist_of_clients_and_of_services,
        directions_choose_the_rules,
        services_by_their_name,
        addresses_of_real_sockets,
        a_client_in_another_network_namespace,
        events_have_every_key,
        events_are_capped_and_counters_go_on,
        armr_text_works_as_json_does,
        bad_rules_are_refused_at_start,
        a_new_policy_leaves_established_connections_alone,
    }
    Module network_http {
        restricted_rules_act_on_their_requests,
        unrestricted_rules_hold_for_requests_too,
        services_by_cluster_and_authority,
        services_by_their_address,
        local_addresses_of_upstream_connections,
        refused_requests_never_reach_the_rules_or_the_upstream,
        blocked_clients_are_refused_when_they_connect,
        what_network_rules_see_adds_to_risk,
        the_shipped_configuration_is_valid,
    }
    Module overload {
        large_uploads_wait_for_a_slow_upstream,
        forms_wait_for_a_slow_upstream,
        large_answers_wait_for_slow_readers,
    }
    Module network_load {
        a_hundred_thousand_rules_and_many_connections,
    }
    Module challenge {
        an_answer_earns_a_cookie_that_only_its_client_can_use,
        programs_get_a_problem_document,
        records_say_what_the_client_got,
    }
    Browser challenge {
        a_browser_gets_through_by_itself,
    }
    Tls fingerprints {
        a_client_is_known_by_its_tls,
    }
    Module countries {
        a_database_comes_with_the_policy,
        rules_look_places_up,
        what_is_no_database_is_refused_at_start,
        envoys_geoip_filter_says_the_country,
        only_trusted_hops_say_the_country,
    }
    Module risk {
        the_ladder_goes_up_over_all_workers,
        a_permanent_block_ends_when_it_is_removed,
        numbers_tell_how_clients_stand,
        a_client_that_behaves_recovers,
        lists_hold_in_their_order,
        each_switch_is_its_own,
        a_client_is_what_the_policy_says,
        rules_block_tarpit_and_interrogate,
    }
    Module recipes {
        the_administration_is_for_the_company,
        wrong_passwords_are_limited,
        an_account_is_guarded_from_many_clients,
        a_page_is_patched_virtually,
    }
    Module risk_rules {
        seclang_rules_say_something_of_the_client,
        the_recipe_against_brute_force_works,
        collections_persist_over_all_workers,
        a_rate_is_counted_over_all_workers,
    }
    Module risk_load {
        increments_of_all_workers_are_counted,
        many_sources_fit_and_a_blocked_one_stays,
        a_thousand_answers_are_held_and_others_pass,
        who_hangs_up_leaves_nothing_behind,
        past_the_cap_the_fallback_holds,
    }
    Module countries_load {
        a_large_database_takes_its_size_a_few_times,
    }
    Module tarpit_load {
        delays_grow_up_to_the_longest,
        bodies_take_their_length_at_the_rate,
        a_slow_upstream_is_not_slowed_further,
        inspected_bodies_are_slowed_too,
        a_large_body_is_whole_and_ends_when_it_should,
    }
    Module manifests {
        the_wasm_plugins_policy_is_accepted,
        the_envoy_filter_is_valid,
    }
};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let envoy = find_envoy().err();
    let module = Prerequisites::find().err();
    let browser = challenge::find_browser();
    let tls = fingerprints::has_programs();
    let (mut skipped, mut without_browser, mut without_tls) = (0, 0, 0);
    let mut trials = Vec::new();
    for (name, needs, test) in TESTS {
        let missing = if *needs == Needs::Envoy { envoy } else { module };
        skipped += usize::from(missing.is_some());
        let run = move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(test());
            Ok(())
        };
        let no_browser = *needs == Needs::Browser && browser.is_none();
        without_browser += usize::from(no_browser);
        let no_tls = *needs == Needs::Tls && !tls;
        without_tls += usize::from(no_tls);
        let ignored = missing.is_some() || no_browser || no_tls;
        trials.push(Trial::test(*name, run).with_ignored_flag(ignored));
    }
    if let Some(missing) = envoy.or(module).filter(|_| skipped > 0) {
        eprintln!("\nSKIPPED: {skipped} of {} Envoy tests do not run: {missing}", trials.len());
    }
    if without_browser > 0 {
        eprintln!(
            "\nSKIPPED: {without_browser} of {} Envoy tests do not run: no browser: neither $CHROMIUM, nor \
             `chromium` or the like on the PATH",
            trials.len()
        );
    }
    if without_tls > 0 {
        eprintln!(
            "\nSKIPPED: {without_tls} of {} Envoy tests do not run: `openssl` and `curl` are not both on the PATH",
            trials.len()
        );
    }
    // What loads the machine, or measures time, has it for itself.
    let (alone, together): (Vec<Trial>, Vec<Trial>) =
        trials.into_iter().partition(|trial| trial.name().contains("_load::"));
    let together = libtest_mimic::run(&arguments, together);
    let one_by_one = Arguments { test_threads: Some(1), ..arguments };
    let alone = libtest_mimic::run(&one_by_one, alone);
    if together.has_failed() { together.exit_code() } else { alone.exit_code() }
}
