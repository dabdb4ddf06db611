//! The IDs of Azure's resources: paths like `/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/n`.

/// Why an ID is of no use.
#[derive(Debug, thiserror::Error)]
#[error("invalid ID '{0}': it has no resource group or no name")]
pub(crate) struct ResourceIdError(String);

/// A resource by its group and its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ResourceId<'a> {
    pub(crate) group: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> ResourceId<'a> {
    /// Reads an ID. The words in it may be in any case.
    pub(crate) fn parse(id: &'a str) -> Result<Self, ResourceIdError> {
        let find = || {
            let path = id.strip_prefix('/')?;
            let mut parts = path.split('/');
            parts.find(|part| part.eq_ignore_ascii_case("resourceGroups"))?;
            let group = parts.next()?;
            let name = parts.next_back()?;
            (!group.is_empty() && !name.is_empty()).then_some(ResourceId { group, name })
        };
        find().ok_or_else(|| ResourceIdError(id.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_a_group_and_a_name() {
        let check = |id: &str, want: Option<(&str, &str)>| {
            let got = ResourceId::parse(id).ok().map(|id| (id.group, id.name));
            assert_eq!(got, want, "{id}");
        };
        check("/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/n", Some(("g", "n")));
        check("/subscriptions/s/resourcegroups/G/providers/Microsoft.Network/networkInterfaces/n", Some(("G", "n")));
        check("/subscriptions/s/providers/n", None);
        check("subscriptions/s/resourceGroups/g/n", None);
        check("/subscriptions/s/resourceGroups/g", None);
        check("/subscriptions/s/resourceGroups//x/n", None);
        check("/subscriptions/s/resourceGroups/g/n/", None);
        check("", None);
    }
}
