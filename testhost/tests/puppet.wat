;; A module that does what its configuration says, to test the host with.
;; Bytes 0 to 5 of the configuration say what the callbacks for request headers, body and trailers and
;; for response headers, body and trailers do; byte 6 what a tick does; a `T` in byte 7 sets the timer.
;;   c continue   p pause   e pause until the end of the stream   r answer 403   x reset
;;   n go on with the request   m go on with the response   s replace the body   t trap   l loop for ever
;; A configuration that begins with `!` is refused. Each body callback logs what it can see.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes" (func $set_buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property" (func $get_property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $set_tick (param i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set_shared (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_shared_data" (func $get_shared (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call" (func $not_there (param i32) (result i32)))
  (memory (export "memory") 64)
  ;; 0 data, 4 size, 8 a number; 16 configuration; 100 texts
  (data (i32.const 100) "NOPE")
  (data (i32.const 110) "source\00address")
  (data (i32.const 130) "x-puppet")
  (data (i32.const 140) "puppet.requests")
  (data (i32.const 160) "a key")
  (data (i32.const 170) "CAS mismatch")
  (data (i32.const 190) "end of stream")
  (data (i32.const 210) "details")
  (data (i32.const 220) ":path")
  (global $heap (mut i32) (i32.const 65536))

  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $at i32)
    (local.set $at (global.get $heap))
    (global.set $heap (i32.add (global.get $heap) (local.get $size)))
    (local.get $at))

  (func $log_returned
    (drop (call $log (i32.const 2) (i32.load (i32.const 0)) (i32.load (i32.const 4)))))

  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $get_buffer (i32.const 7) (i32.const 0) (i32.const 16) (i32.const 0) (i32.const 4)))
    (memory.copy (i32.const 16) (i32.load (i32.const 0)) (i32.load (i32.const 4)))
    (call $log_returned)
    (drop (call $define (i32.const 0) (i32.const 140) (i32.const 15) (i32.const 8)))
    (if (i32.eq (i32.load8_u (i32.const 23)) (i32.const 84))
      (then (drop (call $set_tick (i32.const 50)))))
    (i32.ne (i32.load8_u (i32.const 16)) (i32.const 33)))

  (func $is (param $which i32) (param $letter i32) (result i32)
    (i32.eq (i32.load8_u (i32.add (i32.const 16) (local.get $which))) (local.get $letter)))

  (func $act (param $which i32) (param $end i32) (result i32)
    (if (call $is (local.get $which) (i32.const 112)) (then (return (i32.const 1)))) ;; p
    (if (call $is (local.get $which) (i32.const 101)) ;; e
      (then (return (i32.eqz (local.get $end)))))
    (if (call $is (local.get $which) (i32.const 114)) ;; r
      (then
        (drop (call $reply (i32.const 403) (i32.const 210) (i32.const 7) (i32.const 100) (i32.const 4)
          (i32.const 0) (i32.const 0) (i32.const -1)))
        (return (i32.const 1))))
    (if (call $is (local.get $which) (i32.const 120)) ;; x
      (then (drop (call $close (i32.const 0))) (return (i32.const 1))))
    (if (call $is (local.get $which) (i32.const 110)) ;; n
      (then (drop (call $continue (i32.const 0)))))
    (if (call $is (local.get $which) (i32.const 109)) ;; m
      (then (drop (call $continue (i32.const 1)))))
    (if (call $is (local.get $which) (i32.const 116)) (then unreachable)) ;; t
    (if (call $is (local.get $which) (i32.const 108)) (then (loop $for_ever (br $for_ever)))) ;; l
    (if (call $is (local.get $which) (i32.const 104)) ;; h
      (then (drop (call $not_there (i32.const 0)))))
    (i32.const 0))

  (func $body (param $which i32) (param $buffer i32) (param $end i32) (result i32)
    (drop (call $get_buffer (local.get $buffer) (i32.const 0) (i32.const -1) (i32.const 0) (i32.const 4)))
    (call $log_returned)
    (if (local.get $end) (then (drop (call $log (i32.const 2) (i32.const 190) (i32.const 13)))))
    (if (call $is (local.get $which) (i32.const 115)) ;; s
      (then (drop (call $set_buffer (local.get $buffer) (i32.const 0) (i32.const -1)
        (i32.const 100) (i32.const 4)))))
    (call $act (local.get $which) (local.get $end)))

  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $increment (i32.load (i32.const 8)) (i64.const 1)))
    (drop (call $get_property (i32.const 110) (i32.const 14) (i32.const 0) (i32.const 4)))
    (call $log_returned)
    (drop (call $add_header (i32.const 0) (i32.const 130) (i32.const 8) (i32.const 100) (i32.const 4)))
    ;; Set without comparing, then with a number that can't be right.
    (drop (call $set_shared (i32.const 160) (i32.const 5) (i32.const 100) (i32.const 4) (i32.const 0)))
    (if (i32.eq (i32.const 8)
        (call $set_shared (i32.const 160) (i32.const 5) (i32.const 130) (i32.const 8) (i32.const 9999)))
      (then (drop (call $log (i32.const 3) (i32.const 170) (i32.const 12)))))
    (call $act (i32.const 0) (local.get 2)))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32)
    (call $body (i32.const 1) (i32.const 0) (local.get 2)))
  (func (export "proxy_on_request_trailers") (param i32 i32) (result i32)
    (call $act (i32.const 2) (i32.const 1)))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    ;; The request's headers are gone by now: nothing is logged.
    (if (i32.eqz (call $get_header (i32.const 0) (i32.const 220) (i32.const 5) (i32.const 0) (i32.const 4)))
      (then (call $log_returned)))
    (call $act (i32.const 3) (local.get 2)))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32)
    (call $body (i32.const 4) (i32.const 1) (local.get 2)))
  (func (export "proxy_on_response_trailers") (param i32 i32) (result i32)
    (call $act (i32.const 5) (i32.const 1)))
  (func (export "proxy_on_tick") (param i32)
    (drop (call $act (i32.const 6) (i32.const 1)))))
