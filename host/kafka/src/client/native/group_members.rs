//! The members of a group, by its coordinator: the bindings' own look-up asks all brokers, and fails when one is away.

use std::ffi::CStr;
use std::ptr;
use std::time::Duration;

use rdkafka::admin::AdminClient;
use rdkafka::bindings as c;
use rdkafka::error::KafkaError;

use super::admin::{Request, request};
use super::fetch::c_name;
use crate::client::context::LogContext;

/// The `client.id`s of the members of a group; none if there is no such group.
pub(crate) fn group_members(
    admin: &AdminClient<LogContext>,
    group: &str,
    timeout: Duration,
) -> Result<Vec<String>, KafkaError> {
    let group = c_name(group);
    let mut groups = [group.as_ptr()];
    // SAFETY: the name lives for all of this; the request is of its kind, and what is in the answer is copied while the
    // event that owns it lives.
    unsafe {
        let kind = c::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS;
        let send = |to: &Request| {
            c::rd_kafka_DescribeConsumerGroups(to.client, groups.as_mut_ptr(), groups.len(), to.options, to.queue);
        };
        request(admin.inner().native_ptr(), kind, timeout, KafkaError::GroupListFetch, send, |event| read(event))
    }
}

/// # Safety
/// The event is the answer to a `DescribeConsumerGroups`.
unsafe fn read(event: *mut c::rd_kafka_event_t) -> Result<Vec<String>, KafkaError> {
    let mut found = Vec::new();
    // SAFETY: as the caller says; the answer and its parts live as long as the event.
    unsafe {
        let result = c::rd_kafka_event_DescribeConsumerGroups_result(event);
        if result.is_null() {
            return Ok(found);
        }
        let mut count = 0;
        let groups = c::rd_kafka_DescribeConsumerGroups_result_groups(result, &mut count);
        for index in 0..count {
            let group = *groups.add(index);
            let error = c::rd_kafka_ConsumerGroupDescription_error(group);
            let code = if error.is_null() { None } else { Some(c::rd_kafka_error_code(error)) };
            if let Some(code) = code.filter(|code| *code != c::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR) {
                return Err(KafkaError::GroupListFetch(code.into()));
            }
            for member in 0..c::rd_kafka_ConsumerGroupDescription_member_count(group) {
                let member = c::rd_kafka_ConsumerGroupDescription_member(group, member);
                found.push(text(c::rd_kafka_MemberDescription_client_id(member)));
            }
        }
    }
    Ok(found)
}

/// # Safety
/// The text is null or lives.
unsafe fn text(text: *const std::ffi::c_char) -> String {
    match ptr::NonNull::new(text.cast_mut()) {
        // SAFETY: as the caller says.
        Some(text) => unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned(),
        None => String::new(),
    }
}
