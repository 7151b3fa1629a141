//! What every archive has to keep to, whatever its format.

use std::path::Path;

use super::name;
use super::reading::Member;
use crate::Error;

/// More than any known data set has, and few enough for the memory.
pub(super) const MAX_MEMBERS: usize = 10_000_000;

/// The member's name as it is used from here on, or the refusal.
pub(super) fn normalized(archive: &Path, raw_name: &str) -> Result<String, Error> {
    name::normalize(raw_name).map_err(|reason| unsafe_member(archive, raw_name, reason))
}

/// One more member, unless there are too many.
pub(super) fn push(archive: &Path, members: &mut Vec<Member>, member: Member) -> Result<(), Error> {
    if members.len() == MAX_MEMBERS {
        return Err(Error::NotAnArchive {
            archive: archive.to_owned(),
            reason: format!("it has more than {MAX_MEMBERS} members"),
        });
    }
    members.push(member);
    Ok(())
}

/// Refuses names that cannot all be files of one folder. `members` are sorted by name.
pub(super) fn check_names(archive: &Path, members: &[Member]) -> Result<(), Error> {
    if let Some(pair) = members.windows(2).find(|pair| pair[0].name == pair[1].name) {
        return Err(unsafe_member(archive, &pair[0].name, "the name stands for two members"));
    }
    for member in members {
        for (end, _) in member.name.match_indices('/') {
            let folder = &member.name[..end];
            if members.binary_search_by(|other| other.name.as_str().cmp(folder)).is_ok() {
                return Err(unsafe_member(archive, folder, "the name stands for a file and for a folder"));
            }
        }
    }
    Ok(())
}

/// Refuses contents of another size or checksum than the archive lists.
pub(super) fn check_contents(archive: &Path, member: &Member, bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() as u64 != member.size {
        let comparison = if bytes.len() as u64 > member.size { "more" } else { "fewer" };
        let reason = format!("it has {comparison} bytes than the {} the archive lists", member.size);
        return Err(damaged(archive, member, reason));
    }
    if let Some(expected) = member.crc32 {
        let found = crc32fast::hash(bytes);
        if found != expected {
            let reason = format!("its checksum is {found:08x}, expected {expected:08x}");
            return Err(damaged(archive, member, reason));
        }
    }
    Ok(())
}

pub(super) fn unsafe_member(archive: &Path, member: &str, reason: &'static str) -> Error {
    Error::UnsafeMember { archive: archive.to_owned(), member: member.to_owned(), reason }
}

pub(super) fn damaged(archive: &Path, member: &Member, reason: String) -> Error {
    Error::DamagedMember { archive: archive.to_owned(), member: member.name.clone(), reason }
}
